from dataclasses import replace

import pytest

from tercel.errors import TercelError
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.top import ACCELERATORS

TINY = ACCELERATORS["tiny"]


@pytest.mark.parametrize("name", ACCELERATORS)
def test_the_driver_is_told_what_was_built(name):
    config = ACCELERATORS[name]
    spec = config.spec
    assert spec.layout == config.layout
    assert spec.caps & 0xFF == config.nodes
    assert (spec.hidden, spec.positions) == (config.hidden, config.positions)
    assert spec.sweeps == config.heads
    assert spec.slices == config.dense.slices


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"tlmm": "tiny"}, TypeError, "tlmm must be a TlmmConfig, not 'tiny'"),
        ({"port_bytes": 4}, ValueError, r"port_bytes must be a power of two in 8\.\.16, not 4"),
        ({"ports": 16}, ValueError, "bytes of a word must be a power of two"),
        ({"heads": 6}, ValueError, r"heads \* head_size must not exceed max_columns \(256\)"),
        ({"tape_words": 31}, ValueError, r"tape_words must be an integer in 32\.\..*, not 31"),
        ({"top_k": 1}, ValueError, r"top_k must be an integer in 2\.\.64, not 1"),
        ({"tlmm": TlmmConfig(nodes=17)}, TercelError, "nodes must be an integer in"),
    ],
)
def test_errors(change, error, message):
    with pytest.raises(error, match=message):
        replace(TINY, **change)
