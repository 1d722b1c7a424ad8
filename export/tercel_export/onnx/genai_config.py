"""``genai_config.json``, with which onnxruntime-genai generates text."""

from typing import Any

from tercel.image import Image, SamplingFilters
from tercel_export.onnx.decoder import cache_names

__all__ = ["genai_config"]


def genai_config(image: Image, file: str) -> dict[str, Any]:
    """The content of ``genai_config.json`` for the model in ``file``.

    A model without a begin token names its first end token as one, and a model without an end
    token its last id, because the format has no other way to say "none".
    """
    config, sampling = image.config, image.sampling or SamplingFilters()
    ends = list(config.eos_tokens) or [config.vocab_size - 1]
    names = {
        f"{which}_{kind}_names": cache_names("%d", kind)[side]
        for side, which in enumerate(("past", "present"))
        for kind in ("key", "value")
    }
    return {
        "model": {
            "type": "llama",
            "vocab_size": config.vocab_size,
            "context_length": config.context,
            "bos_token_id": ends[0] if config.bos_token is None else config.bos_token,
            "eos_token_id": ends[0] if len(ends) == 1 else ends,
            "pad_token_id": ends[0],
            "decoder": {
                "filename": file,
                "head_size": config.head_size,
                "hidden_size": config.hidden_size,
                "num_attention_heads": config.heads,
                "num_hidden_layers": config.layers,
                "num_key_value_heads": config.kv_heads,
                "session_options": {"provider_options": []},
                "inputs": {
                    "input_ids": "input_ids",
                    "attention_mask": "attention_mask",
                    "position_ids": "position_ids",
                    **{name: value for name, value in names.items() if name.startswith("past")},
                },
                "outputs": {
                    "logits": "logits",
                    **{name: value for name, value in names.items() if name.startswith("present")},
                },
            },
        },
        "search": {
            "do_sample": not sampling.greedy,
            **({} if sampling.greedy else sampling.to_fields()),
            "max_length": config.context,
            "past_present_share_buffer": False,
        },
    }
