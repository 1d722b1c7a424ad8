import pytest

from tercel_hw.top import ACCELERATORS
from tercel_sim.explore.resource_terms import features, fit_terms

ROWS = [{"1": 1, "K": lanes} for lanes in (1, 2, 4)]


def test_an_exact_law_is_found():
    found = fit_terms(ROWS, [110, 210, 410])
    assert found == {"1": pytest.approx(10, rel=0.05), "K": pytest.approx(100, rel=0.01)}


def test_nothing_costs_nothing():
    assert fit_terms(ROWS, [0, 0, 0]) == {}


def test_one_point_keeps_the_proportions_of_the_start():
    found = fit_terms(ROWS[1:2], [100], {"1": 0, "K": 200})
    assert found["K"] == pytest.approx(50, rel=0.001)
    assert found.get("1", 0.0) == pytest.approx(0, abs=1e-6)


def test_points_that_contradict_the_start_win():
    found = fit_terms(ROWS, [110, 210, 410], {"1": 500, "K": 1})
    assert found["K"] == pytest.approx(100, rel=0.02)


def test_a_start_of_nothing_is_none():
    assert fit_terms(ROWS, [110, 210, 410], {}) == fit_terms(ROWS, [110, 210, 410])


def test_the_lengths_of_memories_count_without_ultra_ram_alone():
    with_ultra, without = ACCELERATORS["kv260"], ACCELERATORS["ultra96v2"]
    assert "K columns" not in features("core.quantiser", "bram36", with_ultra)
    assert features("core.quantiser", "bram36", without)["K columns"] == 4 * 6912
    assert features("core.residual", "bram36", without)["K hidden"] == 4 * 2560
    assert "K columns" not in features("core.quantiser", "lut", without)
    assert features("core.attention", "lut", without)["KW/c"] == 4 * 32 / 16
