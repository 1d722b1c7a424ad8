import pytest

from tercel_hw.cache import CacheConfig
from tercel_hw.memory import AxiConfig, BurstConfig, StripedWriterConfig, WriterConfig
from tercel_hw.vector import VectorConfig


def writer(port_bytes, ports):
    burst = BurstConfig(axi=AxiConfig(data_width=8 * port_bytes), max_beats=16)
    return StripedWriterConfig(writer=WriterConfig(burst=burst, strobes=True), ports=ports)


def test_what_follows_from_the_shape():
    config = CacheConfig()
    assert (config.port_bytes, config.head_granules, config.positions) == (16, 8, 4)
    assert config.piece.size == 128 + 16 + 1
    config = CacheConfig(vector=VectorConfig(head_size=48, word_bytes=32), writer=writer(8, 4))
    assert (config.port_bytes, config.head_granules, config.positions) == (8, 6, 2)


@pytest.mark.parametrize("port_bytes", [4, 32])
def test_other_granules_are_refused(port_bytes):
    vector = VectorConfig(word_bytes=4 * port_bytes)
    with pytest.raises(ValueError, match=f"port_bytes must be 8 or 16, not {port_bytes}"):
        CacheConfig(vector=vector, writer=writer(port_bytes, 4))


def test_the_word_must_be_the_vector_units():
    rule = r"ports \* port_bytes must be the word's bytes \(64\), but is 32"
    with pytest.raises(ValueError, match=rule):
        CacheConfig(writer=writer(16, 2))
