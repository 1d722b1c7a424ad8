import json
from pathlib import Path

import pytest
from build_records import write_record

from tercel.errors import TercelError
from tercel.hardware import overlay_files
from tercel.hardware.overlay_files import OverlayFiles
from tercel.image import LAYOUTS

SPEC = {
    "layout": json.loads(LAYOUTS["kv260"].to_json()),
    **{"nodes": 8, "positions": 64, "hidden": 64, "columns": 160, "head_size": 16, "sweeps": 4},
    **{"slices": 8, "top_k": 8, "rows": 96, "address_width": 40},
}
SIDECAR = {"format": "tercel accelerator", "version": 2, "module": "mine", "spec": SPEC}


@pytest.fixture
def folder(tmp_path):
    for suffix in (".bit", ".hwh", ".bit.bin"):
        (tmp_path / f"mine{suffix}").write_text("<EDKSYSTEM/>")
    (tmp_path / "mine.json").write_text(json.dumps(SIDECAR))
    return tmp_path


@pytest.mark.parametrize("name", ["mine", "mine.bit"])
def test_all_files_have_one_base_name(folder, name):
    files = OverlayFiles(folder / name)
    files.check()
    assert files.bitstream == folder / "mine.bit"
    assert files.module == "mine"
    assert files.spec.nodes == 8
    assert files.board == {}
    assert files.device_tree is None
    (folder / "mine.dtbo").touch()
    assert files.device_tree == folder / "mine.dtbo"


@pytest.mark.parametrize(
    "parameter", ["PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ", "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ"]
)
def test_the_achieved_clock_goes_before_the_one_asked_for(folder, parameter):
    board = {"board": {"name": "kv260", "clock": {"mhz": 250}}}
    (folder / "mine.json").write_text(json.dumps(SIDECAR | board))
    files = OverlayFiles(folder / "mine")
    assert files.clock_hz == 250e6
    text = f'<E><PARAMETER NAME="{parameter}" VALUE="187.5"/></E>'
    (folder / "mine.hwh").write_text(text)
    assert files.clock_hz == 187.5e6


def test_an_unknown_clock_is_an_error(folder):
    with pytest.raises(TercelError, match="says what clock the overlay was built for"):
        _ = OverlayFiles(folder / "mine").clock_hz


def test_the_clock_of_the_record_goes_before_the_one_asked_for(folder):
    """Without pynq the hardware description need not be there."""
    board = {"board": {"name": "kv260", "clock": {"mhz": 250}}}
    (folder / "mine.json").write_text(json.dumps(SIDECAR | board))
    (folder / "mine.hwh").unlink()
    assert OverlayFiles(folder / "mine").build is None
    write_record(folder / "mine_build.json", achieved_mhz=214.28)
    assert OverlayFiles(folder / "mine").clock_hz == 214.28e6


def test_record_and_sidecar_are_of_one_build(folder):
    write_record(folder / "mine_build.json", verilog_sha256="ab")
    assert OverlayFiles(folder / "mine").builds_match
    for mine, match in (("ab", True), ("cd", False)):
        (folder / "mine.json").write_text(json.dumps(SIDECAR | {"sha256": mine}))
        assert OverlayFiles(folder / "mine").builds_match == match


def test_a_broken_description_is_named(folder):
    (folder / "mine.hwh").write_text("<EDKSYSTEM>")
    with pytest.raises(TercelError, match=r"mine.hwh is not valid: .*; copy it again"):
        _ = OverlayFiles(folder / "mine").clock_hz


@pytest.mark.parametrize("suffix", [".bit", ".hwh", ".json"])
def test_a_missing_file_is_named(folder, suffix):
    (folder / f"mine{suffix}").unlink()
    with pytest.raises(TercelError, match=rf"the overlay lacks the file .*mine{suffix}: "):
        OverlayFiles(folder / "mine").check()


def test_a_bare_name_is_looked_up_in_the_package(folder, tmp_path, monkeypatch):
    package = tmp_path / "package"
    (package / "mine").mkdir(parents=True)
    monkeypatch.setattr(overlay_files, "files", lambda name: package)
    monkeypatch.chdir(package)
    assert OverlayFiles.find(Path("mine")).path == Path("mine")
    (package / "mine/mine.json").write_text(json.dumps(SIDECAR))
    for name in ("mine", "mine.bit"):
        found = OverlayFiles.find(Path(name))
        assert found.sidecar == package / "mine/mine.json"
        assert found.bitstream == package / "mine/mine.bit"
    monkeypatch.chdir(folder)
    assert OverlayFiles.find(Path("mine")).path == Path("mine")
    assert OverlayFiles.find(Path("other/mine")).path == Path("other/mine")
