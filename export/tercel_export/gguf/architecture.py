"""The graph of llama.cpp that computes a model."""

from dataclasses import dataclass

from tercel.config import ModelConfig
from tercel.errors import TercelError

__all__ = ["Architecture", "architecture_of"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A graph, by the name under ``general.architecture``."""

    name: str
    pairs: bool = False
    """True if RoPE pairs neighbours: rows of queries and keys are reordered for it."""
    scales: bool = False
    """True if the scale of a matrix is a float32 tensor of its own, and no bit of it is lost."""
    advice: str = ""
    """A line for the user."""


def architecture_of(config: ModelConfig) -> Architecture:
    """The architecture of a model.

    Raises
    ------
    TercelError
        If there is none that computes it.
    """
    if not config.sub_norms:
        if config.activation != "silu":
            raise _refusal(
                config,
                f"its graph without sub-norms has the activation silu, not {config.activation}",
            )
        return Architecture(name="llama", pairs=True)
    if config.rope_factors:
        raise _refusal(config, "its graphs with sub-norms have no scaled RoPE")
    if config.q_size != config.hidden_size:
        raise _refusal(
            config,
            f"its graphs with sub-norms need as wide queries as the model, {config.hidden_size}, "
            f"not {config.q_size}",
        )
    if config.activation == "relu2":
        return Architecture(
            name="bitnet-b1.58",
            advice="squared ReLU runs in Microsoft's bitnet.cpp, whose architecture bitnet-b1.58 "
            "this is; llama.cpp does not know it",
        )
    if not config.tied_head:
        raise _refusal(config, "its graph bitnet takes the embedding as head, but there are both")
    return Architecture(name="bitnet", scales=True)


def _refusal(config: ModelConfig, reason: str) -> TercelError:
    return TercelError(
        f"no graph of llama.cpp computes {config.name}: {reason}; export onnx or huggingface"
    )
