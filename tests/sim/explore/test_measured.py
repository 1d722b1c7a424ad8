import json

import pytest

from tercel.errors import TercelError
from tercel_hw.board import load_board
from tercel_hw.export.bundle import stored_report
from tercel_hw.synthesis.resources import Resources
from tercel_hw.target import Target
from tercel_hw.top import ACCELERATORS
from tercel_sim.explore.measured import Measured, load_calibration, preset_reports


def test_a_point_is_like_accelerators_of_its_target_and_memories():
    point = Measured(
        name="one",
        config=ACCELERATORS["kv260"],
        target=Target.ULTRASCALE_PLUS,
        blocks={"a": Resources(lut=1), "b": Resources(lut=2)},
    )
    assert point.total == Resources(lut=3)
    assert point.like(ACCELERATORS["tiny"], Target.ULTRASCALE_PLUS)
    assert not point.like(ACCELERATORS["tiny"], Target.SERIES_7)
    assert not point.like(ACCELERATORS["ultra96v2"], Target.ULTRASCALE_PLUS)


def test_the_presets_of_boards_are_points():
    found = preset_reports(["kr260", "kv260", "pynq-z2"])
    assert [point.name for point in found] == ["kv260", "pynq-z2"]  # boards share a report
    assert [point.target for point in found] == [Target.ULTRASCALE_PLUS, Target.SERIES_7]
    assert all(point.preset and not point.held_out for point in found)
    report = json.loads(stored_report(load_board("kv260")).read_text())
    assert (found[0].total.lut, found[0].total.uram) == (
        report["total"]["lut"],
        report["total"]["uram"],
    )


@pytest.mark.parametrize(
    "text", ["", "[]", '{"points": [{}]}', '{"points": [{"parameters": {"x": 1}}]}']
)
def test_a_broken_calibration_is_refused(tmp_path, text):
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(TercelError):
        load_calibration(path)
    with pytest.raises(TercelError, match="cannot be used"):
        load_calibration(tmp_path / "none.json")
