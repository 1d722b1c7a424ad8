import shutil
import subprocess

import pytest

from tercel.errors import TercelError
from tercel_hw.emission import emit_verilog
from tercel_hw.export.module_name import MODULE, check_module_name
from tercel_hw.primitives import primitive_models
from tercel_hw.target import Target


@pytest.mark.parametrize("name", [MODULE, "a", "A1", "my_core_2", "in_order"])
def test_plain_names_will_do(name):
    assert check_module_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "1a", "_a", "a_", "a__b", "a-b", "a.b", "a b", "a$", "\xe4", "a\n"]
)
def test_others_are_refused(name):
    """A name with `__` could be that of another design's part."""
    with pytest.raises(TercelError, match="--name must be letters, digits and single underscores"):
        check_module_name(name)


@pytest.mark.parametrize("name", ["module", "class", "logic", "extends", "reg", "table"])
def test_keywords_are_refused(name):
    with pytest.raises(TercelError, match=f"--name must be no keyword .*, but '{name}' is one"):
        check_module_name(name)


def test_two_designs_of_one_kind_live_in_one(primitive_design, lint, tmp_path):
    """Both were `tercel`, with 359 redeclarations; each brings models of its primitives."""
    files = []
    for name in ("tercel", "tercel_adder"):  # The first has a part of the other's name.
        verilog = emit_verilog(primitive_design(), name, target=Target.ULTRASCALE_PLUS)
        models = primitive_models(Target.ULTRASCALE_PLUS)
        for file, text in ((f"{name}.v", verilog), (f"{name}_primitives.v", models)):
            (tmp_path / file).write_text(text)
            files.append(file)
    (tmp_path / "top.v").write_text(
        """module top(
  input clk, input rst, input [9:0] x, output [9:0] o1, o2, output [47:0] p1, p2
);
  tercel a(.clk(clk), .rst(rst), .x(x), .o(o1), .p(p1));
  tercel_adder b(.clk(clk), .rst(rst), .x(x), .o(o2), .p(p2));
endmodule
"""
    )
    if shutil.which("iverilog"):
        command = ["iverilog", "-g2012", "-s", "top", "-o", "a", "top.v", *files]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    (tmp_path / "waivers.vlt").write_text('`verilator_config\nlint_off -file "*tercel*.v"\n')
    lint("top", "waivers.vlt", "top.v", *files)
