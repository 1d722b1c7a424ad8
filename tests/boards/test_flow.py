"""The vendor flow on stand-ins that know the vendor's commands, options and parameters."""

import json
import re
from pathlib import Path

import pytest

from tercel_hw.board import board_folder, board_names, load_board

SCRIPTS = board_folder() / "flow"
PROCESSORS = {"zynqmp": "ultra96v2", "zynq7": "pynq-z2"}
"""A board of each processing system; the Ultra96-V2's settings leave most to undo."""


def record(flow):
    return json.loads((flow.folder / "reports" / "tercel_build.json").read_text())


@pytest.mark.parametrize("name", board_names())
def test_a_board_is_built_to_the_last_step(flow, name):
    flow = flow(name)
    done = flow.run()
    assert (done.returncode, done.stderr) == (0, "")
    overlay = flow.folder / "overlay"
    made = {"tercel.bit", "tercel.hwh", "tercel.bit.bin", "tercel_build.json"}
    assert {path.name for path in overlay.iterdir()} == made
    assert json.loads((overlay / "tercel_build.json").read_text()) == record(flow)
    found = record(flow)
    assert (found["board"], found["part"], found["met"]) == (name, flow.board.part, True)
    assert found["achieved_mhz"] == pytest.approx(flow.board.clock_mhz, rel=1e-4)
    assert found["pll"] == flow.board.processor.pll
    counted = {"lut", "lut_memory", "ff", "clb", "dsp", "bram36"}
    assert counted <= set(found["utilisation"]) <= counted | {"uram"}
    assert found["utilisation"]["lut"]["available"] == flow.board.resources.lut
    assert found["verilog_sha256"] == "ab12"
    assert "is not among the tested releases" in done.stdout


@pytest.mark.parametrize("name", board_names())
def test_the_core_is_first_and_every_byte_of_memory_is_reached(flow, name):
    flow = flow(name)
    assert flow.run().returncode == 0
    order = [call.split()[0] for call in flow.calls]
    assert order.index("synth_design") < order.index("create_bd_design")
    ports = flow.board.memory_ports
    used = sum(
        "create_bd_cell -type ip -vlnv xilinx.com:ip:axi_register_slice" in call
        for call in flow.calls
    )
    assert 0 < used <= len(ports)
    assigned = [call for call in flow.calls if call.startswith("assign_bd_address")]
    for segment in flow.board.segments:
        parts = f"-offset {segment.base:#x} -range {segment.bytes:#x}"
        assert sum(parts in call for call in assigned) == used
    assert sum("axi_protocol_converter" in call for call in flow.calls) == (
        used if flow.board.processor.protocol == "AXI3" else 0
    )


def tokens(text):
    """Words of the vendor's tool: commands, options, parameters, pins, cores."""
    commands = re.findall(
        r"^command (\w+)", (Path(__file__).parent / "vivado/commands.tcl").read_text(), re.M
    )
    found = set(re.findall(r"CONFIG\.[A-Z]\w*(?:\$\{?\w+\}?\w*)?", text))
    found |= set(re.findall(r"xilinx\.com:\w+:\w+", text))
    found |= set(re.findall(r"(?<=\s)-[a-z]\w*", text))
    found |= set(re.findall(r"(?<=[\w)]/)[A-Za-z]\w+(?=\])", text))
    found |= {name for name in commands if re.search(rf"(?:^\s*|\[){name}\b", text, re.M)}
    found -= {"version"} - set(re.findall(r"version(?= -short)", text))
    found |= set(re.findall(r"(?<=return )[A-Za-z]\w+(?=\n)", text)) - {"release", "out"}
    found |= {
        word
        for word in (
            "Hierarchical",
            "SMAPx32",
            "out_of_context",
            "AXI3",
            "write_bitstream",
            "apply_board_preset",
            "make_external",
            "synth_checkpoint_mode",
            "WNS",
            "Block RAM Tile",
            "PROGRESS",
        )
        if word in text
    }
    return sorted(found)


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.tcl")))
def test_the_stand_ins_refuse_each_word_that_is_wrong(flow, script):
    own = PROCESSORS.get(script.removesuffix(".tcl"))
    flows = [flow(name) for name in ([own] if own else PROCESSORS.values())]
    text = (SCRIPTS / script).read_text()
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for token in tokens(code):
        broken = re.sub(rf"(?<![\w.]){re.escape(token)}(?!\w)", f"{token}X", code)
        assert broken != code, token
        for each in flows:
            (each.folder / "flow" / script).write_text(broken + "\n")
        assert any(each.run().returncode for each in flows), f"{script}: {token} may be wrong"


@pytest.mark.parametrize(
    ("name", "file", "before", "after", "message"),
    [
        ("pynq-z2", "flow/design.tcl", 'eq "AXI3"', 'eq "AXI5"', "has AXI4, but .* AXI3"),
        (
            "pynq-z2",
            "tercel_top.v",
            "MAX_BURST_LENGTH 16",
            "MAX_BURST_LENGTH 64",
            "do not fit AXI3",
        ),
        ("kv260", "flow/design.tcl", "set from [get_bd_intf_pins $cell/M_AXI]", "", "already"),
        ("kv260", "tercel_top.v", "ADDR_WIDTH 40", "ADDR_WIDTH 32", "32 address bits and does not"),
        ("kv260", "tercel_top.v", "DATA_WIDTH 128", "DATA_WIDTH 64", "has 64 bits, but .* 128"),
        ("kv260", "flow/design.tcl", "exclude_bd_addr_seg", "list", "neither assigned to .* nor"),
        ("kv260", "flow/zynqmp.tcl", "GP1 0", "GP1 1", "maxihpm1_fpd_aclk is not connected"),
        (
            "kv260",
            "flow/zynqmp.tcl",
            "return pl_resetn0",
            "return pl_clk0",
            "ext_reset_in is a data signal, but .* a clock",
        ),
        ("kv260", "settings.tcl", "DDR_LOW 0x0", "DDR_LOW 0x1", "beyond what it has"),
    ],
)
def test_the_stand_ins_see_a_design_that_does_not_work(flow, name, file, before, after, message):
    flow = flow(name)
    flow.change(file, before, after)
    done = flow.run()
    assert done.returncode == 3
    assert re.search(message, done.stderr), done.stderr


def stopped(flow):
    done = flow.run()
    assert (done.returncode, done.stderr) == (1, "")
    last = done.stdout.splitlines()[-1]
    assert last.startswith("ERROR: ")
    return last.removeprefix("ERROR: ")


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        ({"release": "2021.2"}, "Vivado must be 2022.1 or newer, not 2021.2"),
        (
            {"board_parts": ""},
            "no board files match xilinx.com:kv260_som:part0:*: install them from",
        ),
        ({"failing": "synth_1"}, "synth_1 ended with place_design ERROR; see its log in"),
        ({"no_clock": 7}, "7 registers have no clock: the timing report does not cover them"),
        ({"utilisation": "nothing"}, "the utilisation report has no row of lut: its"),
        ({"slack,default": "NA 0.1 0.1"}, "the timing report has no figure for setup, but NA: the"),
        (
            {"slack,default": "inf 0.1 0.1"},
            "the timing report has no figure for setup, but inf: the",
        ),
    ],
)
def test_a_build_ends_with_one_line(flow, scenario, message):
    flow = flow("kv260")
    flow.scenario |= scenario
    assert stopped(flow).startswith(message)
    assert not (flow.folder / "overlay").exists()


def test_an_accelerator_that_does_not_fit_ends_the_build_before_the_long_steps(flow):
    flow = flow("kv260")
    flow.scenario["utilisation"] = flow.scenario["utilisation"].replace("| 624 |", "| 1300 |")
    assert stopped(flow).startswith("the accelerator does not fit: 1300 dsp of 1248; see")
    assert not any(call.startswith("create_bd_design") for call in flow.calls)


def test_a_clock_that_the_pll_cannot_give_is_refused(flow):
    """finn-plus 72: 200 MHz asked, 187.5 given."""
    flow = flow("kv260")
    flow.change("settings.tcl", "clock_mhz {250}", "clock_mhz {200}")
    assert stopped(flow) == (
        "pl_clk0 would run at 187.498125 MHz, not at 200: the nearest clocks of IOPLL at "
        "1499.98 MHz are 187.4981 and 214.2836; set mhz in board.toml"
    )


def test_another_pll_is_seen(flow):
    """The RPLL, which the board's settings choose, does not give 250 MHz."""
    flow = flow("kv260")
    flow.change("settings.tcl", "pll {IOPLL}", "pll {RPLL}")
    assert "the nearest clocks of RPLL" in stopped(flow)


def test_strategies_are_tried_in_order_until_the_timing_is_met(flow):
    flow = flow("kv260")
    flow.scenario["slack,Performance_Explore"] = "-0.204 0.011 1.2"
    assert flow.run().returncode == 0
    tries = [(each["strategy"], each["setup"]) for each in record(flow)["tries"]]
    assert tries == [
        ("Performance_Explore", -0.204),
        ("Performance_ExplorePostRoutePhysOpt", 0.113),
    ]
    assert record(flow)["met"]
    bitstreams = [call for call in flow.calls if "write_bitstream" in call]
    assert bitstreams == [
        "launch_runs impl_Performance_ExplorePostRoutePhysOpt -to_step write_bitstream -jobs 4"
    ]


def test_the_lower_clock_that_would_pass_is_told(flow):
    flow = flow("kv260")
    flow.scenario["slack,default"] = "-0.204 0.011 1.2"
    said = stopped(flow)
    assert said.startswith(
        "timing is not met at 250 MHz with any of the strategies: Performance_Explore misses setup "
        "by -0.204 ns and would pass at 214.284 MHz; Performance_ExplorePostRoutePhysOpt misses"
    )
    found = record(flow)
    assert (found["met"], found["passing_mhz"], len(found["tries"])) == (False, 214.284, 4)
    assert not (flow.folder / "overlay").exists()


@pytest.mark.parametrize("slacks", ["0.3 -0.02 1.2", "0.3 0.02 -0.1"])
def test_hold_and_pulse_width_are_timing_too(flow, slacks):
    flow = flow("kv260")
    flow.scenario["slack,default"] = slacks
    assert "which no lower clock mends" in stopped(flow)
    assert not record(flow)["met"]


def test_the_registers_keep_the_width_that_a_reset_gives_the_port(flow):
    """A width of 32 bits needs a register that only a device tree or PYNQ sets."""
    flow = flow("kv260")
    assert flow.run().returncode == 0
    assert not any("MAXIGP0__DATA_WIDTH" in call for call in flow.calls)
    assert load_board("kv260").port_bits == 128
