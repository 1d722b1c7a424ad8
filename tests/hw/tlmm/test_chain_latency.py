import pytest

from tercel_hw.tlmm.chain_latency import chain_latency


@pytest.mark.parametrize(("cells", "cycles"), [(1, 3), (2, 4), (3, 5)])
def test_a_cell_adds_a_cycle(cells, cycles):
    assert chain_latency(cells) == cycles
