"""The command line of the simulation."""

import json
import shutil
import signal

import pytest
from hindrances import FULL, full_disk, make_device, names, read_only
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image
from tercel_hw.top import ACCELERATORS
from tercel_sim import rtl_device, rtl_library
from tercel_sim.accelerator_choice import with_nodes
from tercel_sim.build_cache import BuildCache
from tercel_sim.measured_run import MeasuredRun
from tercel_sim.rtl_device import RtlDevice, RtlOptions

SMALL = ("--nodes", "4", "--accelerator", "tiny")


@pytest.fixture
def tercel():
    """Run a command line in this process."""

    def invoke(*arguments):
        return CliRunner().invoke(app, list(arguments))

    return invoke


@pytest.fixture
def simulate(tercel):
    return lambda *arguments: tercel("simulate", *arguments)


@pytest.fixture
def little_image(random_images, little_model):
    """For the accelerator of :data:`SMALL`, which need not be compiled."""
    return str(random_images(little_model, with_nodes(ACCELERATORS["tiny"], 4)).path)


@pytest.fixture
def little_path(little_image, four_lanes):
    return little_image


@pytest.fixture
def nothing_is_built(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("built something")

    monkeypatch.setattr(rtl_device, "rtl_library", refuse)


def fails(result, message):
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_what_passes_took(simulate, little_path):
    result = simulate(little_path, "--tokens", "5,6,7,8,9,10", "-n", "3", *SMALL, "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    golden = EmulatorDevice(Image.open(little_path), nodes=4)
    golden.prefill([5, 6, 7, 8, 9])
    token, expected = 10, []
    for _ in range(3):
        token = int(golden.run_pass([token]).argmax[0])
        golden.commit([0])
        expected.append(token)
    assert facts["generated"] == expected
    assert facts["tokens"] == [5, 6, 7, 8, 9, 10]
    assert facts["evidence"] == "cycle-accurate simulation"
    prefill, generate = facts["phases"]["prefill"], facts["phases"]["generate"]
    assert (prefill["passes"], prefill["tokens"]) == (2, 5)
    assert (generate["passes"], generate["tokens"]) == (3, 3)
    assert prefill["counted"]["head"] == 0 < generate["counted"]["head"]
    counted = generate["counted"]
    seconds = counted["cycles"] / (facts["clock_mhz"] * 1e6)
    assert generate["tokens_per_second"] == pytest.approx(3 / seconds)
    moved = counted["bytes_read"] + counted["bytes_written"]
    assert generate["bandwidth"] == pytest.approx(moved / seconds / 15e9)
    assert sum(8 * port["read_beats"] for port in generate["ports"]) == counted["bytes_read"]
    assert sum(generate["account"].values()) == pytest.approx(counted["cycles"])
    assert generate["account"]["moving"] == pytest.approx(moved / 60)


def test_the_table(simulate, little_path):
    result = simulate(little_path, *SMALL, "--ddr", "kv260-13.3")
    assert result.exit_code == 0, result.output
    for text in (
        "generate",
        "cycles a pass",
        "attention",
        "memory turns",
        "tokens/s",
        "memory kv260-13.3",
    ):
        assert text in result.stdout
    assert "prefill" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tokens", "1,x"), "tokens must be ids as 1,2,3, not '1,x'"),
        (("--tokens", "1,48"), "token ids must be in 0..47, but one is 48"),
        (("--tokens", "1", "--prompt", "a"), "give --prompt or --tokens, not both"),
        (("--prompt", "a"), "has no tokenizer"),
        (("--ddr", "fast"), "ddr must be one of kv260-13.3, "),
        (("--accelerator", "huge"), "accelerator must be one of tiny, kv260, "),
        (("--accelerator", "kv260"), "plays tapes with tables 77"),
        (("--nodes", "17"), "nodes must be an integer in 1..16, not 17"),
        (("--context", "65"), "context must be in 1..64"),
        (("--context", "2", "-n", "3"), "1 tokens and 3 passes exceed the context of 2"),
        (("-n", "65"), "shorten the prompt since 64 positions are the model's maximum"),
        (("--tokens", "999999"), "token ids must be in 0..47, but one is 999999"),
        (("--config", "no.json"), "give the accelerator by its preset or by a file, not both"),
        (("--first", "5"), "--first and --end are those of --waves"),
        (("--waves", "x.vcd", "--first", "10", "--end", "5"), "--end must be greater than --first"),
        (("--waves", "x.vcd", "--first", "5", "--end", "5"), "--first (5), not 5"),
        (("--waves", "no/x.vcd"), "cannot write no/x.vcd: No such file or directory; make its"),
        (("--waves", "."), "cannot write .: Is a directory; name a file, not a folder"),
    ],
)
def test_options_are_checked_before_anything_is_built(
    simulate, little_image, nothing_is_built, arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    fails(simulate(little_image, *SMALL, *arguments), message)
    assert names(tmp_path) == []


def test_waves_that_cannot_be_written_are_told_first(
    simulate, little_image, nothing_is_built, tmp_path
):
    with read_only(tmp_path):
        result = simulate(little_image, *SMALL, "--waves", str(tmp_path / "x.vcd"))
    fails(result, "x.vcd: Permission denied; write where you have the permission")


@pytest.mark.parametrize(
    "options", [{"timeout": float("nan")}, {"timeout": 0.0}, {"watchdog": -1.0}, {"watchdog": 1e9}]
)
def test_limits_of_time_are_refused_before_the_build(little_path, nothing_is_built, options):
    with pytest.raises(TercelError, match=f"{next(iter(options))} must be .*not"):
        RtlDevice.open(Image.open(little_path), RtlOptions(nodes=4, **options))


def test_waves_do_not_overwrite_the_model(simulate, little_image, nothing_is_built):
    fails(simulate(little_image, *SMALL, "--waves", little_image), "input")
    Image.open(little_image)


def test_the_cache_may_lie_elsewhere(simulate, little_image, verilator, tmp_path):
    (tmp_path / "file").touch()
    result = simulate(little_image, *SMALL, "--cache", str(tmp_path / "file"))
    fails(result, f"the cache of compiled accelerators, {tmp_path}/file, cannot be used")


def test_a_compiled_accelerator_needs_nothing_more(
    simulate, little_path, four_lanes, monkeypatch, tmp_path
):
    """No compiler, and a cache that cannot be written."""
    library = rtl_library.rtl_library(four_lanes)
    verilog = library.with_name(rtl_library.verilog_name(four_lanes, registered_reset=True))
    for path in (library, verilog):
        for name in (path.name, f"{path.name}.json"):
            shutil.copy(library.with_name(name), tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with read_only(tmp_path):
        result = simulate(little_path, *SMALL, "--cache", str(tmp_path))
        device = RtlDevice.open(Image.open(little_path), RtlOptions(nodes=4, cache=tmp_path))
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert device.accelerator == four_lanes
    device.board.close()


def test_an_accelerator_of_the_users_own(simulate, little_path, four_lanes, tmp_path):
    for name, values in {
        "parameters.json": four_lanes.parameters(),
        "sidecar.json": {"parameters": four_lanes.parameters()},
    }.items():
        (tmp_path / name).write_text(json.dumps(values))
        result = simulate(little_path, "--config", str(tmp_path / name), "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["nodes"] == 4


def test_nodes_of_a_file_can_be_others(simulate, little_image, tmp_path, monkeypatch):
    path, asked = tmp_path / "four.json", []
    path.write_text(json.dumps(with_nodes(ACCELERATORS["tiny"], 4).parameters()))

    def library(config, **options):
        asked.append(config.nodes)
        raise KeyboardInterrupt

    monkeypatch.setattr(rtl_device, "rtl_library", library)
    for options in ((), ("--nodes", "3")):
        assert simulate(little_image, "--config", str(path), *options).exit_code == 130
    assert asked == [4, 3]


@pytest.fixture
def ctrl_c_in_the_third_pass(monkeypatch):
    """SIGINT as a terminal sends it, while the clock runs."""
    generate, passes = MeasuredRun._generate, []

    def count(self):
        passes.append(None)
        if len(passes) == 3:
            library, name = self._device.board._library, "tercel_run_while_register"
            run, calls = getattr(library, name), []

            def interrupted(*arguments):
                calls.append(None)
                if len(calls) == 5:
                    signal.raise_signal(signal.SIGINT)
                return run(*arguments)

            monkeypatch.setattr(library, name, interrupted)
        generate(self)

    monkeypatch.setattr(MeasuredRun, "_generate", count)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_shows_what_was_measured(simulate, little_path, ctrl_c_in_the_third_pass):
    result = simulate(little_path, *SMALL, "-n", "9")
    assert result.exit_code == 130
    assert "cycles a pass" in result.stdout
    (words,) = [line.split() for line in result.stdout.splitlines() if line[:5] == "inter"]
    assert words[:6] == ["interrupted", "after", "2", "of", "9", "passes,"]
    assert 4 * 256 < int(words[6]) < 3000
    assert result.stderr == ""


def test_ctrl_c_keeps_json_whole(simulate, little_path, ctrl_c_in_the_third_pass):
    result = simulate(little_path, *SMALL, "-n", "9", "--json")
    assert result.exit_code == 130
    facts = json.loads(result.stdout)
    assert facts["phases"]["generate"]["passes"] == len(facts["generated"]) == 2
    assert facts["interrupted"].keys() == {"passes", "of", "cycles"}
    assert (facts["interrupted"]["passes"], facts["interrupted"]["of"]) == (2, 9)


def test_ctrl_c_before_a_pass_has_ended(simulate, little_path, monkeypatch):
    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(MeasuredRun, "_generate", interrupt)
    result = simulate(little_path, *SMALL)
    assert result.exit_code == 130
    assert "interrupted  after 0 of 1 passes, 0 cycles into the next" in result.stdout
    assert "tokens/s" not in result.stdout


@pytest.fixture
def filled(tmp_path):
    """A cache with an entry of each kind."""
    store = BuildCache(tmp_path / "cache")

    def build(folder):
        (folder / "made").write_bytes(bytes(1500))
        return folder / "made"

    store.obtain(32 * "a" + ".v", build, title="tiny: small", about={"parameters": {"ports": 2}})
    store.obtain(32 * "b" + ".so", build, title="tiny: small, with waves")
    return store.folder


def test_the_cache_is_shown(tercel, filled):
    result = tercel("cache", "--cache", str(filled))
    assert result.exit_code == 0, result.output
    *lines, total = result.stdout.splitlines()
    assert [line.split(maxsplit=4)[2:] for line in lines] == [
        ["1.5", "kB", "Verilog     tiny: small"],
        ["1.5", "kB", "simulation  tiny: small, with waves"],
    ]
    assert total == f"2 entries, 3 kB in {filled}"
    facts = json.loads(tercel("cache", "--cache", str(filled), "--json").stdout)
    assert facts["folder"] == str(filled)
    first, second = facts["entries"]
    assert (first["file"], second["file"]) == (32 * "a" + ".v", 32 * "b" + ".so")
    assert first["about"] == {"parameters": {"ports": 2}}
    assert first["bytes"] == 1500


def test_the_cache_is_cleared(tercel, filled):
    result = tercel("cache", "--cache", str(filled), "--clear")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("removed 3.")
    assert names(filled) == []
    facts = json.loads(tercel("cache", "--cache", str(filled), "--clear", "--json").stdout)
    assert (facts["freed_bytes"], facts["entries"]) == (0, [])


def test_a_cache_that_is_not_there_is_empty(tercel, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = tercel("cache")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"0 entries, 0 B in {tmp_path}/tercel/simulation\n"
    assert names(tmp_path) == []


def test_a_cache_that_cannot_be_cleared_is_told(tercel, filled):
    with read_only(filled):
        shown = tercel("cache", "--cache", str(filled))
        result = tercel("cache", "--cache", str(filled), "--clear")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("20")
    fails(result, "cannot be used: Permission denied")


@pytest.mark.parametrize("options", [(), ("--clear",), ("--json",)])
def test_a_cache_that_is_a_file_is_told(tercel, tmp_path, options):
    (tmp_path / "file").touch()
    fails(tercel("cache", "--cache", str(tmp_path / "file"), *options), "Not a directory; choose")


@pytest.mark.slow
def test_waves_of_the_first_pass(simulate, little_path, tmp_path):
    path = tmp_path / "waves.vcd"
    result = simulate(little_path, *SMALL, "--waves", str(path), "--first", "10", "--end", "30")
    assert result.exit_code == 0, result.output
    stamps = [int(line[1:]) for line in path.read_text().splitlines() if line.startswith("#")]
    assert stamps[-1] - stamps[0] == 39 * 2000
    assert result.stderr == ""
    result = simulate(little_path, *SMALL, "--waves", str(path), "--first", "1000000")
    assert result.exit_code == 0, result.output
    assert f"warning: {path} shows no cycle: it begins with cycle 1000000" in result.stderr


@pytest.mark.slow
def test_waves_onto_a_full_disk(simulate, little_path, tmp_path):
    path = tmp_path / "waves.vcd"
    with full_disk(after=1_000_000):
        result = simulate(little_path, *SMALL, "--waves", str(path))
    fails(result, f"cannot write {path}: File too large; raise the limit of file sizes")
    assert names(tmp_path) == []
    make_device(path, FULL)
    fails(simulate(little_path, *SMALL, "--waves", str(path)), "No space left on device; free")


@pytest.mark.slow
def test_ctrl_c_keeps_the_waves(simulate, little_path, tmp_path, ctrl_c_in_the_third_pass):
    path = tmp_path / "waves.vcd"
    result = simulate(little_path, *SMALL, "-n", "9", "--waves", str(path), "--first", "12000")
    assert result.exit_code == 130
    assert path.read_text().count("\n#") > 1000
