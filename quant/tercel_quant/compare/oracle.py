"""A checkpoint in transformers, with what flows between its layers."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tercel.errors import TercelError
from tercel_quant.importers.huggingface import LINEARS

__all__ = ["Oracle", "Trace"]

SUB_NORMS = {"inner_attn_ln": "attn_sub_norm", "ffn_layernorm": "ffn_sub_norm"}
"""Names of 1bitLLM's sub-norms to those of transformers' BitNet."""
WRITERS = ("o", "down")
"""Linears that write to the residual stream."""
UNNAMED = ("architectures", "model_type", "auto_map")
"""Fields that name a model's class."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The residual stream at every border of a model's blocks, and its logits.

    All are float32; ``streams`` have the shape (windows, time, hidden_size): the embedding, then
    after each layer's attention and each layer's MLP. ``logits`` are (windows, time, vocab_size).
    """

    streams: list[Tensor]
    logits: Tensor


class Oracle:
    """A checkpoint as transformers runs it, in float32.

    Parameters
    ----------
    path : Path
        A Hugging Face folder or a GGUF file.

    Raises
    ------
    TercelError
        If transformers cannot load it.
    """

    def __init__(self, path: Path):
        try:
            self._model = _load(path).eval()
        except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError) as error:
            text = str(error).strip().split("\n", 1)[0]
            raise TercelError(f"transformers cannot load {path}: {text}") from None

    @torch.no_grad()
    def trace(self, tokens: Tensor) -> Trace:
        """Run windows of tokens, int64 of shape (windows, time)."""
        streams: list[Tensor] = []
        decoder: Any = self._model.model

        def keep(module: nn.Module, arguments: tuple, keywords: dict) -> None:
            value = arguments[0] if arguments else keywords["hidden_states"]
            streams.append(value.detach().float().clone())

        modules = [
            module
            for layer in decoder.layers
            for module in (layer.input_layernorm, layer.post_attention_layernorm)
        ]
        hooks = [
            module.register_forward_pre_hook(keep, with_kwargs=True)
            for module in (*modules, decoder.norm)
        ]
        logits = self._run(tokens, hooks).logits.float()
        return Trace(streams=streams, logits=logits)

    @torch.no_grad()
    def linears(self, tokens: Tensor, layer: int) -> dict[str, tuple[Tensor, Tensor]]:
        """Input and output of every linear of a layer, by its canonical name."""
        found: dict[str, tuple[Tensor, Tensor]] = {}
        module: Any = self._model
        parent = module.model.layers[layer]

        def keeper(name: str) -> Callable[..., None]:
            def keep(module: nn.Module, arguments: tuple, result: Tensor) -> None:
                found[name] = arguments[0].float().clone(), result.float().clone()

            return keep

        hooks = [
            parent.get_submodule(theirs).register_forward_hook(keeper(ours))
            for ours, theirs in LINEARS.items()
        ]
        self._run(tokens, hooks)
        # Granite's factor of what is added to the stream, which the image has in its weights.
        factor = getattr(self._model.config, "residual_multiplier", 1.0)
        for name in WRITERS:
            given, result = found[name]
            found[name] = given, factor * result
        return found

    def _run(self, tokens: Tensor, hooks: list[RemovableHandle]) -> Any:
        """Run the model with hooks, which are removed after it."""
        try:
            # transformers compiles parts of its BitNet, which takes longer than a run.
            with torch.compiler.set_stance("force_eager"):
                return self._model(tokens, use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()


def _load(path: Path) -> Any:
    from transformers import AutoModelForCausalLM, BitNetConfig, BitNetForCausalLM

    if path.is_file():
        return AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32
        )
    fields = json.loads((path / "config.json").read_text())
    if fields.get("architectures") == ["MiniCPMForCausalLM"]:
        return _load_minicpm(path, fields)
    if fields.get("architectures") != ["BitnetForCausalLM"]:
        return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    # 1bitLLM's own code is not in transformers; its model is BitNet with other names.
    quantisation = {
        "quant_method": "bitnet",
        "linear_class": "autobitlinear",
        "quantization_mode": "online",
    }
    own: dict[str, Any] = {n: each for n, each in fields.items() if n not in UNNAMED}
    own["quantization_config"] = quantisation
    config = BitNetConfig(**own)
    return BitNetForCausalLM.from_pretrained(
        path, config=config, key_mapping=SUB_NORMS, dtype=torch.float32
    )


def _load_minicpm(path: Path, fields: dict[str, Any]) -> Any:
    """A MiniCPM, whose own code is not in transformers, as Granite, which has the same factors."""
    from transformers import GraniteConfig, GraniteForCausalLM

    hidden_size, heads = fields["hidden_size"], fields["num_attention_heads"]
    multipliers = {
        "embedding_multiplier": float(fields["scale_emb"]),
        "residual_multiplier": fields["scale_depth"] / fields["num_hidden_layers"] ** 0.5,
        "attention_multiplier": (fields.get("head_dim") or hidden_size // heads) ** -0.5,
        "logits_scaling": hidden_size / fields["dim_model_base"],
    }
    own: dict[str, Any] = {n: each for n, each in fields.items() if n not in UNNAMED}
    config = GraniteConfig(**own | multipliers)
    return GraniteForCausalLM.from_pretrained(path, config=config, dtype=torch.float32)
