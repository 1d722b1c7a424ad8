from tercel.hardware.build_record import BuildRecord
from tercel_hw.bitstream.table import as_markdown


def rows(*paths):
    lines = as_markdown([BuildRecord.load(path) for path in paths]).splitlines()
    assert lines[0] == "Evidence: post-route."
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def test_a_build_is_a_row(written):
    (row,) = rows(written())
    assert (row["board"], row["MHz"], row["timing"]) == ("kv260", "249.998", "met")
    assert (row["strategy"], row["setup ns"]) == ("Performance_ExtraTimingOpt", "0.020")
    assert (row["LUT"], row["CLB"], row["RAMB36"]) == ("78,123 (67%)", "13,900 (95%)", "84.5 (59%)")


def test_a_build_that_failed_says_what_would_pass(written):
    slow = [{"strategy": "a", "setup": -0.2, "hold": 0.1, "pulse": 0.1}]
    wrong = [{"strategy": "a", "setup": 0.2, "hold": -0.1, "pulse": 0.1}]
    first, second = rows(
        written("slow.json", tries=slow, met=False, passing_mhz=214.284),
        written("wrong.json", tries=wrong, met=False),
    )
    assert first["timing"] == "**missed**, 214.284 MHz would pass"
    assert second["timing"] == "**missed**, at any clock"


def test_a_device_without_ultraram_has_a_dash(written):
    used = {"lut": {"used": 30000, "available": 53200}, "uram": {"used": 0, "available": 0}}
    (row,) = rows(written(utilisation=used))
    assert (row["LUT"], row["URAM"], row["DSP"]) == ("30,000 (56%)", "0", "-")
