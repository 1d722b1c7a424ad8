import hashlib
import json

from tercel.device import DeviceFacts, Timing
from tercel.hardware import overlay_files
from tercel.hardware.overlay_facts import overlay_facts
from tercel.hardware.overlay_files import OverlayFiles
from tercel.image import LAYOUTS

SPEC = {
    "layout": json.loads(LAYOUTS["kv260"].to_json()),
    **{"nodes": 8, "positions": 64, "hidden": 64, "columns": 160, "head_size": 16, "sweeps": 4},
    **{"slices": 8, "top_k": 8, "rows": 96, "address_width": 40},
}
SIDECAR = {"format": "tercel accelerator", "version": 2, "module": "mine", "spec": SPEC}
BOARD = {"description": "AMD Kria KV260", "memory": {"peak_gbs": 19.2}}
FACTS = DeviceFacts(timing=Timing.BOARD)


def test_facts_of_an_overlay_for_a_board(tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps(SIDECAR | {"board": BOARD}))
    (tmp_path / "mine.bit").write_bytes(b"bits")
    facts = overlay_facts(OverlayFiles(tmp_path / "mine.bit"), FACTS)
    assert facts.timing is Timing.BOARD
    assert facts.hardware.value == "AMD Kria KV260"
    assert facts.memory_peak.value == 19.2e9
    assert facts.overlay_sha256.value == hashlib.sha256(b"bits").hexdigest()
    assert json.loads(str(facts.accelerator.value)) == SPEC
    assert facts.clock_hz == FACTS.clock_hz


def test_the_bitstream_is_read_once(tmp_path, monkeypatch):
    (tmp_path / "mine.json").write_text(json.dumps(SIDECAR))
    (tmp_path / "mine.bit").write_bytes(b"bits")
    read = []
    monkeypatch.setattr(overlay_files, "file_sha256", lambda path: read.append(path) or "ab")
    files = OverlayFiles(tmp_path / "mine")
    for _ in range(3):
        assert overlay_facts(files, FACTS).overlay_sha256.value == "ab"
    assert read == [tmp_path / "mine.bit"]


def test_what_the_files_do_not_have_is_none_with_a_reason(tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps(SIDECAR))
    files = OverlayFiles(tmp_path / "mine")
    facts = overlay_facts(files, FACTS)
    assert facts.hardware.to_dict() == {
        "value": None,
        "reason": "the sidecar mine.json does not have it",
    }
    assert facts.memory_peak.value is None
    assert facts.overlay_sha256.value is None
    (tmp_path / "mine.bit.bin").write_bytes(b"firmware")
    found = overlay_facts(OverlayFiles(tmp_path / "mine"), FACTS).overlay_sha256
    assert (found.value, found.note) == (hashlib.sha256(b"firmware").hexdigest(), "mine.bit.bin")
