"""A tokenizer of single bytes."""

import json

EOS = 256
"""The special end token."""
END = {
    "id": EOS,
    "content": "<end>",
    "single_word": False,
    "lstrip": False,
    "rstrip": False,
    "normalized": False,
    "special": True,
}


def byte_tokenizer(*, ends=True):
    """A byte-level vocabulary: token ``b`` is the byte ``b``, and :data:`EOS` may end the text."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    vocabulary = {chr(byte): byte for byte in printable}
    vocabulary |= {chr(0x100 + i): byte for i, byte in enumerate(others)}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [END] if ends else [],
            "pre_tokenizer": {
                "type": "ByteLevel",
                "add_prefix_space": False,
                "trim_offsets": True,
                "use_regex": False,
            },
            "decoder": {
                "type": "ByteLevel",
                "add_prefix_space": False,
                "trim_offsets": True,
                "use_regex": False,
            },
            "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
        }
    ).encode()
