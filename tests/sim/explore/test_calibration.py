import json
from dataclasses import replace

from tercel_hw.synthesis.depth import Depth
from tercel_hw.synthesis.resources import Resources
from tercel_hw.synthesis.run import Measured
from tercel_hw.top import ACCELERATORS
from tercel_sim.explore import calibration as module
from tercel_sim.explore.calibration import PRESET, calibration
from tercel_sim.explore.resource_model import CALIBRATION, load_calibration


def test_points_and_the_stored_report_make_a_calibration(monkeypatch, tmp_path):
    depth = Depth(levels=0, through=0, start="", path=(), end="")

    def measure(blocks, report):
        return [
            Measured(name=block.name, resources=Resources(lut=7), depth=depth) for block in blocks
        ]

    parts = "".join(
        f"module \\{name}\nend\n" for name in ("tercel.core.engine", "tercel.core.rotary")
    )
    cells = "  cell \\tercel.core.engine e\n  cell \\tercel.core.rotary r\n"
    whole = f"module \\tercel\n  cell \\tercel.core c\nend\nmodule \\tercel.core\n{cells}end\n"
    monkeypatch.setattr(module, "measure_blocks", measure)
    monkeypatch.setattr(module, "Accelerator", lambda config: None)
    monkeypatch.setattr(module, "emit_rtlil", lambda component, name, target: whole + parts)
    stored = {
        "parameters": ACCELERATORS["kv260"].parameters(),
        "blocks": {"core.engine": {**vars(Resources(lut=9)), "depth": {"levels": 3}}},
    }
    points = [replace(module.POINTS[0], held_out=True)]
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(calibration(points, stored)))
    first, second = load_calibration(path)
    assert first.config == ACCELERATORS["kv260"]
    assert first.blocks == {"core.engine": Resources(lut=9)}
    assert second.held_out
    assert second.config == points[0].design.accelerator(PRESET)
    assert second.blocks == dict.fromkeys(("core.engine", "core.rotary"), Resources(lut=7))


def test_the_stored_calibration_is_of_these_points():
    found = load_calibration()
    configs = [point.design.accelerator(PRESET) for point in module.POINTS]
    assert [point.config for point in found] == [PRESET, *configs]
    assert [point.held_out for point in found[1:]] == [point.held_out for point in module.POINTS]
    for measured, point in zip(found[1:], module.POINTS, strict=True):
        assert set(measured.blocks) == set(point.blocks)
    assert json.loads(CALIBRATION.read_text())["command"] == module.COMMAND
