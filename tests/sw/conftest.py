"""A tokenizer of single bytes and a device of known logits, for tests with text."""

import json

import pytest
from fake_device import EOS, FakeDevice

from tercel.runtime import TextTokenizer


@pytest.fixture(scope="session")
def byte_tokenizer():
    """Token ``b`` is the byte ``b`` of a byte-level vocabulary; 256 is the special end token."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    vocabulary = {chr(byte): byte for byte in printable}
    vocabulary |= {chr(0x100 + i): byte for i, byte in enumerate(others)}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [
                {
                    "id": EOS,
                    "content": "<end>",
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": True,
                }
            ],
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


@pytest.fixture(scope="session")
def tokenizer(byte_tokenizer):
    return TextTokenizer(byte_tokenizer)


@pytest.fixture
def make_device():
    return FakeDevice
