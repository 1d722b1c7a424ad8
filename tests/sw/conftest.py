"""A tokenizer of single bytes and a device of known logits, for tests with text."""

import pytest
from byte_tokenizer import byte_tokenizer as bytes_alone
from fake_device import FakeDevice

from tercel.runtime import TextTokenizer


@pytest.fixture(scope="session")
def byte_tokenizer():
    """Token ``b`` is the byte ``b`` of a byte-level vocabulary; 256 is the special end token."""
    return bytes_alone()


@pytest.fixture(scope="session")
def tokenizer(byte_tokenizer):
    return TextTokenizer(byte_tokenizer)


@pytest.fixture
def make_device():
    return FakeDevice
