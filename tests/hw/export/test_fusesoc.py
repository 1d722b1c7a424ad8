"""The core in designs that depend on it, built by FuseSoC itself."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

from tercel_hw.emission import emit_verilog
from tercel_hw.export.fusesoc import core_file
from tercel_hw.export.lint import lint_configuration
from tercel_hw.primitives import primitive_models
from tercel_hw.target import Target
from tercel_sim.verilator import build_environment

CORES = ("first", "other")
TOP = """CAPI=2:
name: user:designs:soc:1.0
filesets:
  rtl:
    depend: ["tercel:accelerator:first", "tercel:accelerator:other"]
    files: [soc.v]
    file_type: verilogSource-2005
  bench:
    files: [bench.v]
    file_type: verilogSource-2005
targets:
  default:
    filesets: [rtl]
  lint:
    filesets: [rtl]
    toplevel: soc
    flow: lint
    flow_options: {tool: verilator, verilator_options: [-Wall]}
  lint_by_tool:
    filesets: [rtl]
    toplevel: soc
    default_tool: verilator
    tools: {verilator: {mode: lint-only, verilator_options: [-Wall]}}
  sim: &sim
    filesets: [rtl, bench]
    toplevel: bench
    flow: sim
    flow_options: {tool: icarus}
  sim_2012:
    <<: *sim
    flow_options: {tool: icarus, iverilog_options: [-g2012]}
"""
SOC = """module soc(
  input clk, input rst, input [9:0] x, output [9:0] o1, o2, output [47:0] p1, p2
);
  first a(.clk(clk), .rst(rst), .x(x), .o(o1), .p(p1));
  other b(.clk(clk), .rst(rst), .x(x), .o(o2), .p(p2));
endmodule
"""
BENCH = """module bench;
  reg clk, rst;
  wire [9:0] o1, o2;
  wire [47:0] p1, p2;
  soc dut(.clk(clk), .rst(rst), .x(10'd7), .o1(o1), .o2(o2), .p1(p1), .p2(p2));
  always #1 clk = ~clk;
  initial begin
    clk = 0;
    rst = 1;
    #4 rst = 0;
    #40 $display("%0d %0d %0d %0d", o1, o2, p1, p2);
    $finish;
  end
endmodule
"""


@pytest.fixture(scope="module")
def cores(primitive_design):
    """Two cores with primitives: files by folder and name."""
    files = {}
    for name in CORES:
        files[f"{name}/{name}.v"] = emit_verilog(
            primitive_design(), name, target=Target.ULTRASCALE_PLUS
        )
        files[f"{name}/{name}_primitives.v"] = primitive_models(Target.ULTRASCALE_PLUS)
        files[f"{name}/{name}.vlt"] = lint_configuration(f"{name}.v", f"{name}_primitives.v")
        files[f"{name}/{name}.core"] = core_file(
            module=name,
            verilog=f"{name}.v",
            primitives=f"{name}_primitives.v",
            lint=f"{name}.vlt",
        )
    return files


@pytest.fixture
def soc(cores, tmp_path):
    """A design of the user's that depends on both."""
    for name, text in {**cores, "soc.core": TOP, "soc.v": SOC, "bench.v": BENCH}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def fusesoc(soc):
    """Runs a target, with a Verilator if that needs one; gives all that it prints."""
    if importlib.util.find_spec("fusesoc") is None:
        pytest.skip("no fusesoc installed")

    def run(target, *, verilator=None, core="user:designs:soc"):
        environment = dict(os.environ) if verilator is None else build_environment(verilator)
        if verilator is not None:
            environment["PATH"] = f"{verilator.parent}{os.pathsep}{environment['PATH']}"
        environment |= {"HOME": str(soc), "XDG_CONFIG_HOME": str(soc)}
        command = [sys.executable, "-c", "from fusesoc.main import main; main()"]
        command += ["--cores-root", ".", "run", "--target", target, core]
        done = subprocess.run(
            command, cwd=soc, env=environment, capture_output=True, text=True, timeout=200
        )
        output = done.stdout + done.stderr
        assert done.returncode == 0, output
        return output

    return run


@pytest.mark.parametrize("target", ["lint", "lint_by_tool"])
def test_a_depending_design_is_silent(target, fusesoc, any_verilator):
    """The waivers were in the core's own lint target alone: 17 000 warnings in such a design."""
    output = fusesoc(target, verilator=any_verilator)
    assert "verilator" in output
    assert "Warning" not in output.replace("WARNING: ", "")


def test_waivers_are_for_the_cores_own_files(fusesoc, soc, verilator):
    """A design's own file is judged, even one whose name ends with the core's."""
    text = (soc / "soc.v").read_text()
    (soc / "my_first.v").write_text(
        text.replace("endmodule", "  wire [3:0] nobody = 4'd7;\nendmodule")
    )
    (soc / "soc.core").write_text(TOP.replace("[soc.v]", "[my_first.v]"))
    with pytest.raises(AssertionError, match="UNUSEDSIGNAL"):
        fusesoc("lint", verilator=verilator)


def test_the_core_itself_lints(fusesoc, verilator):
    assert "Warning" not in fusesoc("lint", verilator=verilator, core="tercel:accelerator:first")


@pytest.mark.parametrize("target", ["sim", "sim_2012"])
def test_two_cores_are_simulated_in_one_design(target, fusesoc):
    """With one set of models for both, though each brings its own."""
    if shutil.which("iverilog") is None:
        pytest.skip("no iverilog on the path")
    assert "21 21 49 49" in fusesoc(target).splitlines()


def test_synthesis_gets_no_models(soc):
    pytest.importorskip("pyosys")
    script = """
from pyosys import libyosys
design = libyosys.Design()
libyosys.run_pass("read_verilog soc.v first/first.v first/first_primitives.v other/other.v", design)
libyosys.run_pass("read_verilog other/other_primitives.v", design)
names = {module.name.str() for module in design.modules_.values()}
assert {"\\\\first", "\\\\other", "\\\\soc"} <= names, names
assert not names & {"\\\\DSP48E2", "\\\\LUT3", "\\\\LUT4", "\\\\CARRY8", "\\\\FDRE"}, names
"""
    subprocess.run([sys.executable, "-c", script], cwd=soc, check=True, timeout=100)


def test_without_primitives_there_is_no_such_fileset():
    text = core_file(module="tercel", verilog="a.v", primitives=None, lint="a.vlt")
    assert "primitives" not in text
    assert text.count("filesets: [lint, rtl]\n") == 1
