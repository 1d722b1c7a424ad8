import json
from dataclasses import replace
from types import SimpleNamespace

from tercel_hw.synthesis.resources import Resources
from tercel_hw.target import Target
from tercel_sim.explore import calibration as module
from tercel_sim.explore.calibration import calibration
from tercel_sim.explore.measured import CALIBRATION, load_calibration


def test_points_make_a_calibration(monkeypatch, tmp_path):
    def measure(blocks, target, report):
        assert target is Target.SERIES_7
        return [SimpleNamespace(name=block.name, resources=Resources(lut=7)) for block in blocks]

    parts = "".join(
        f"module \\{name}\nend\n" for name in ("tercel.core.engine", "tercel.core.rotary")
    )
    cells = "  cell \\tercel.core.engine e\n  cell \\tercel.core.rotary r\n"
    whole = f"module \\tercel\n  cell \\tercel.core c\nend\nmodule \\tercel.core\n{cells}end\n"
    monkeypatch.setattr(module, "measure_blocks", measure)
    monkeypatch.setattr(module, "Accelerator", lambda config: None)
    monkeypatch.setattr(module, "emit_rtlil", lambda component, name, target: whole + parts)
    points = [replace(module.POINTS[-1], held_out=True, blocks=module.BLOCKS)]
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(calibration(points)))
    (found,) = load_calibration(path)
    assert (found.held_out, found.preset) == (True, False)
    assert found.target is Target.SERIES_7
    assert found.config == points[0].config
    assert found.blocks == dict.fromkeys(("core.engine", "core.rotary"), Resources(lut=7))


def test_the_stored_calibration_is_of_these_points():
    found = load_calibration()
    assert [point.config for point in found] == [point.config for point in module.POINTS]
    assert [point.held_out for point in found] == [point.held_out for point in module.POINTS]
    assert [point.target for point in found] == [point.target for point in module.POINTS]
    for measured, point in zip(found, module.POINTS, strict=True):
        assert set(measured.blocks) == set(point.blocks)
    assert json.loads(CALIBRATION.read_text())["command"] == module.COMMAND


def test_the_errors_are_printed(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["calibration", "--errors"])
    module.main()
    lines = capsys.readouterr().out.splitlines()
    held_out = [point for point in module.POINTS if point.held_out]
    assert len(lines) == len(held_out) + 3  # and each preset by the others of its target
    assert lines[0].startswith(f"kv260: {held_out[0].design.short}, held out, 2 blocks: lut ")
    assert [line.partition(",")[0] for line in lines[-3:]] == ["kv260", "pynq-z2", "ultra96v2"]
