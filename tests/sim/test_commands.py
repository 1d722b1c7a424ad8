"""The command line of the simulation."""

import json

import pytest
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image

SMALL = ("--nodes", "4", "--accelerator", "tiny")


@pytest.fixture
def simulate():
    """Run the command in this process."""

    def invoke(*arguments):
        return CliRunner().invoke(app, ["simulate", *arguments])

    return invoke


@pytest.fixture
def little_path(random_images, little_model, four_lanes):
    return str(random_images(little_model, four_lanes).path)


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
        (("--nodes", "17"), "an accelerator has 1 to 16 nodes a pass, not 17"),
        (("--context", "65"), "context must be in 1..64"),
        (("--context", "2", "-n", "3"), "1 tokens and 3 passes exceed the context of 2"),
        (("-n", "65"), "shorten the prompt since 64 positions are the model's maximum"),
        (("--first", "5"), "--first and --end are those of --waves"),
    ],
)
def test_errors(simulate, little_path, arguments, message):
    fails(simulate(little_path, *SMALL, *arguments), message)


@pytest.mark.slow
def test_waves_of_the_first_pass(simulate, little_path, tmp_path):
    path = tmp_path / "waves.vcd"
    result = simulate(little_path, *SMALL, "--waves", str(path), "--first", "10", "--end", "30")
    assert result.exit_code == 0, result.output
    stamps = [int(line[1:]) for line in path.read_text().splitlines() if line.startswith("#")]
    assert stamps[-1] - stamps[0] == 39
