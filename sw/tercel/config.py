"""The shape of a ternary decoder-only language model."""

from dataclasses import dataclass
from typing import Any, ClassVar

from tercel.errors import TercelError
from tercel.json_dataclass import JsonDataclass

__all__ = ["PRESETS", "SHORTLISTS", "ModelConfig", "check_shortlist"]

ACTIVATIONS = ("silu", "relu2")
GRANULARITIES = ("tensor", "row", "group")
VERSION_3_LIMITS = {"columns": 1 << 14, "vocab_size": 1 << 18, "head_size": 256}
"""Largest sizes of a model that needs version 3 of the image."""
VERSION_3_FIELDS = {
    "granularity": "tensor",
    "ternary_head": False,
    "qk_norm": False,
    "shortlist": 0,
}
"""Fields that version 2 of the image does not know, with their defaults."""
SHORTLISTS = tuple(1 << bits for bits in range(5, 13))
"""Rows that a two-stage head may list for a node."""


def check_shortlist(rows: object) -> None:
    """Check the rows that a two-stage head lists for a node.

    Raises
    ------
    TercelError
        If they are neither 0 nor one of `SHORTLISTS`.
    """
    if isinstance(rows, bool) or rows not in (0, *SHORTLISTS):
        raise TercelError(
            f"shortlist must be a power of two in {SHORTLISTS[0]}..{SHORTLISTS[-1]}, or 0 for "
            f"none, not {rows!r}"
        )


def _is_positive(value: object) -> bool:
    """True for a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 < value < float("inf")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(JsonDataclass):
    """A decoder-only transformer with ternary linears, RMSNorm, RoPE and a gated MLP.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    WHAT: ClassVar[str] = "model config"

    name: str
    layers: int
    hidden_size: int
    """Width of the residual stream, d."""
    ffn_size: int
    """Width of the gated MLP."""
    heads: int
    """Query heads."""
    kv_heads: int
    """Key/value heads; a divisor of ``heads``."""
    head_size: int
    """A multiple of 16; ``heads * head_size`` may differ from ``hidden_size``."""
    vocab_size: int
    context: int
    """Most positions that a KV cache of this model may hold."""
    rope_base: float = 10000.0
    rope_factors: tuple[float, ...] = ()
    """Divisor of each of the ``head_size / 2`` RoPE frequencies, of a scaled RoPE; empty for none.
    """
    norm_epsilon: float = 1e-5
    activation: str = "silu"
    """``silu`` or ``relu2`` (squared ReLU), applied to the gate projection."""
    sub_norms: bool = False
    """RMSNorm before the output and the down projection, as in the BitNet checkpoints."""
    tied_head: bool = True
    """The head's rows are the embedding's rows."""
    granularity: str = "tensor"
    """Scales of the ternary matrices: ``tensor`` (one), ``row`` (one a row) or ``group`` (one a
    row, and a multiplier for each 128 columns of it)."""
    ternary_head: bool = False
    """The embedding and the head are ternary matrices with groups, not int8 rows."""
    qk_norm: bool = False
    """RMSNorm of every head of the queries and of the keys, as in Qwen3."""
    shortlist: int = 0
    """Rows that a two-stage head lists for a node by the ternary form of the head that the image
    then has; 0: it has none."""
    bos_token: int | None = None
    """The begin token that the checkpoint names; the tokenizer decides whether a text starts with
    it."""
    eos_tokens: tuple[int, ...] = ()
    """Tokens that end a text; each one alone does."""

    def __post_init__(self):
        for field in (
            "layers",
            "hidden_size",
            "ffn_size",
            "heads",
            "kv_heads",
            "head_size",
            "vocab_size",
            "context",
        ):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise TercelError(f"{field} must be a positive integer, not {value!r}")
        if self.heads % self.kv_heads:
            raise TercelError(
                f"kv_heads must divide heads, but {self.kv_heads} does not divide {self.heads}"
            )
        if self.head_size % 16:
            raise TercelError(f"head_size must be a multiple of 16, not {self.head_size}")
        if self.activation not in ACTIVATIONS:
            raise TercelError(
                f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}"
            )
        if self.granularity not in GRANULARITIES:
            raise TercelError(
                f"granularity must be one of {', '.join(GRANULARITIES)}, not {self.granularity!r}"
            )
        for field in ("ternary_head", "qk_norm"):
            if not isinstance(value := getattr(self, field), bool):
                raise TercelError(f"{field} must be true or false, not {value!r}")
        if self.ternary_head and self.granularity != "group":
            raise TercelError(
                f'ternary_head needs the granularity "group", not {self.granularity!r}'
            )
        check_shortlist(self.shortlist)
        if self.shortlist and self.ternary_head:
            raise TercelError("shortlist must be 0 with a ternary_head: that is ternary already")
        if self.image_version == 3:
            self._check_version_3()
        for field in ("rope_base", "norm_epsilon"):
            value = getattr(self, field)
            if not _is_positive(value):
                raise TercelError(f"{field} must be a positive number, not {value!r}")
        factors = self.rope_factors
        if not (isinstance(factors, tuple) and len(factors) in (0, self.head_size // 2)):
            raise TercelError(
                f"rope_factors must be a tuple of {self.head_size // 2} numbers, or empty"
            )
        for value in factors:
            if not _is_positive(value):
                raise TercelError(f"rope_factors must be positive numbers, but one is {value!r}")
        if self.bos_token is not None and not self._is_token(self.bos_token):
            raise TercelError(
                f"bos_token must be a token id below vocab_size {self.vocab_size}, "
                f"not {self.bos_token!r}"
            )
        ends = self.eos_tokens
        if not (isinstance(ends, tuple) and all(map(self._is_token, ends))):
            raise TercelError(
                f"eos_tokens must be a tuple of token ids below vocab_size {self.vocab_size}, "
                f"not {ends!r}"
            )
        if len(set(ends)) < len(ends):
            raise TercelError(f"eos_tokens must differ from each other, but are {ends!r}")

    def _check_version_3(self) -> None:
        columns = max(columns for _, columns in self.linears().values())
        sizes = {
            "columns": ("the columns of a matrix", columns),
            "vocab_size": ("vocab_size", self.vocab_size),
            "head_size": ("head_size", self.head_size),
        }
        for name, (what, value) in sizes.items():
            if value > (most := VERSION_3_LIMITS[name]):
                raise TercelError(
                    f"{what} must be at most {most} in a model with {self.version_3_parts}, "
                    f"not {value}"
                )

    def _is_token(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return 0 <= value < self.vocab_size

    def to_fields(self) -> dict[str, Any]:
        """The fields of the JSON object, where ``eos_token`` is null, one id or a list of ids.

        A single id is written as a plain integer, ``rope_factors`` only if there are any, and the
        fields of version 3 only if they are not the default: older readers accept that.
        """
        fields = super().to_fields()
        ends, factors = fields.pop("eos_tokens"), fields.pop("rope_factors")
        for name, default in VERSION_3_FIELDS.items():
            if fields[name] == default:
                del fields[name]
        if factors:
            fields["rope_factors"] = list(factors)
        return fields | {"eos_token": ends[0] if len(ends) == 1 else list(ends) or None}

    @classmethod
    def from_fields(cls, found: dict[str, Any]) -> "ModelConfig":
        fields = dict(found)
        if "eos_tokens" in fields:
            raise TercelError(f"the {cls.WHAT} has unknown fields: eos_tokens; it is eos_token")
        ends = fields.pop("eos_token", None)
        if not isinstance(ends, list):
            ends = [] if ends is None else [ends]
        factors = fields.pop("rope_factors", [])
        if not isinstance(factors, list):
            raise TercelError(f"rope_factors must be a list, not {factors!r}")
        lists = {"eos_tokens": tuple(ends), "rope_factors": tuple(factors)}
        return super().from_fields(fields | lists)

    @property
    def version_3_parts(self) -> str:
        """The parts of the model that version 2 of the image cannot hold, as a phrase, or empty."""
        scales = {"row": ["a scale for each row"], "group": ["scales of groups"]}
        parts = scales.get(self.granularity, [])
        parts += ["a ternary head"] * self.ternary_head + ["q/k norms"] * self.qk_norm
        parts += ["a shortlist"] * (self.shortlist > 0)
        return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)

    @property
    def image_version(self) -> int:
        """Version of the image that holds the model: 3 only if it needs that."""
        return 3 if self.version_3_parts else 2

    @property
    def q_size(self) -> int:
        """Width of the queries and of the attention output: ``heads * head_size``."""
        return self.heads * self.head_size

    @property
    def kv_size(self) -> int:
        """Width of the keys, and of the values: ``kv_heads * head_size``."""
        return self.kv_heads * self.head_size

    def linears(self) -> dict[str, tuple[int, int]]:
        """The ternary matrices of one layer: name to (rows out, columns in), in tape order."""
        d, f = self.hidden_size, self.ffn_size
        return {
            "q": (self.q_size, d),
            "k": (self.kv_size, d),
            "v": (self.kv_size, d),
            "o": (d, self.q_size),
            "gate": (f, d),
            "up": (f, d),
            "down": (d, f),
        }

    def norms(self) -> dict[str, int]:
        """The norm gains of one layer: name to width."""
        norms = {"attention_norm": self.hidden_size, "mlp_norm": self.hidden_size}
        if self.sub_norms:
            norms |= {"attention_sub_norm": self.q_size, "mlp_sub_norm": self.ffn_size}
        if self.qk_norm:
            norms |= {"q_norm": self.head_size, "k_norm": self.head_size}
        return norms

    @property
    def ternary_weights(self) -> int:
        """Number of ternary weights in the whole model, those of a ternary head included."""
        layer = sum(rows * columns for rows, columns in self.linears().values())
        heads = 0 if not self.ternary_head else 1 if self.tied_head else 2
        return self.layers * layer + heads * self.vocab_size * self.hidden_size


PRESETS = {
    config.name: config
    for config in (
        ModelConfig(
            name="tiny",
            layers=2,
            hidden_size=64,
            ffn_size=160,
            heads=4,
            kv_heads=2,
            head_size=16,
            vocab_size=96,
            context=64,
        ),
        ModelConfig(
            name="small",
            layers=8,
            hidden_size=256,
            ffn_size=768,
            heads=4,
            kv_heads=4,
            head_size=64,
            vocab_size=4096,
            context=1024,
            eos_tokens=(0,),
        ),
        ModelConfig(
            name="0.7b",
            layers=24,
            hidden_size=1536,
            ffn_size=4096,
            heads=16,
            kv_heads=16,
            head_size=96,
            vocab_size=32002,
            context=2048,
            sub_norms=True,
            bos_token=1,
            eos_tokens=(2,),
        ),
        ModelConfig(
            name="2b",
            layers=30,
            hidden_size=2560,
            ffn_size=6912,
            heads=20,
            kv_heads=5,
            head_size=128,
            vocab_size=128256,
            context=4096,
            rope_base=500000.0,
            activation="relu2",
            sub_norms=True,
            bos_token=128000,
            eos_tokens=(128001,),
        ),
    )
}
