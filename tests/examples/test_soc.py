"""The example in plain Verilog on Icarus: one pass of the tiny accelerator, without Python."""

import importlib.util
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tercel_hw.top import ACCELERATORS
from tercel_sim.rtl_library import rtl_verilog

FOLDER = Path(__file__).parents[2] / "examples" / "soc"
REMEDY = "examples/soc/make_pass.py writes them anew"


@pytest.fixture(scope="module")
def accelerator():
    return rtl_verilog(ACCELERATORS["tiny"])


def test_the_files_are_those_of_the_pass(tmp_path):
    """The image, the program and the numerics are what they were when the files were written."""
    spec = importlib.util.spec_from_file_location("make_pass", FOLDER / "make_pass.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    files = module.example(tmp_path)
    assert set(files) == {"port0.hex", "port1.hex", "expected.hex", "pass.vh"}
    for name, text in files.items():
        assert (FOLDER / name).read_text() == text, f"{name} is of another pass: {REMEDY}"


@pytest.fixture(scope="module")
def compiled(accelerator, tmp_path_factory):
    """Compiles the example in a generation of the language, once; gives the program's path."""
    if shutil.which("iverilog") is None:
        pytest.skip("no iverilog on the path")

    @cache
    def compile_(generation):
        folder = tmp_path_factory.mktemp("soc")
        for file in FOLDER.iterdir():
            if file.suffix in (".v", ".vh"):
                shutil.copy(file, folder)
        (folder / "tercel.v").write_text(accelerator)
        sources = sorted(path.name for path in folder.glob("*.v"))
        command = ["iverilog", f"-g{generation}", "-s", "bench", "-o", "a", *sources]
        subprocess.run(command, cwd=folder, check=True, timeout=200)
        return folder / "a"

    return compile_


@pytest.fixture
def simulate(compiled, tmp_path):
    """Runs the example on files of memory, which may be changed; gives what it prints."""

    def run(generation, change=lambda folder: None):
        for file in FOLDER.glob("*.hex"):
            shutil.copy(file, tmp_path)
        change(tmp_path)
        done = subprocess.run(
            ["vvp", "-n", compiled(generation)],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
            timeout=280,
        )
        return done.stdout

    return run


@pytest.mark.parametrize("generation", ["2005", "2012"])
def test_a_pass_equals_the_emulator(generation, simulate):
    """Cocotb's default, 2012, read `status` as X before the first pass."""
    assert re.search(
        r"^PASSED: .*, 33 lines equal, \d+ cycles$", simulate(generation), re.MULTILINE
    )


def test_the_bench_fails_where_a_result_is_another(simulate):
    """And where the tape is: a bit of the first norm's gains is another one."""

    def change(folder):
        text = (folder / "port0.hex").read_text().splitlines()
        place = next(at for at, line in enumerate(text) if at > 8 and int(line, 16))
        text[place] = f"{int(text[place], 16) ^ 1 << 62:016x}"
        (folder / "port0.hex").write_text("\n".join(text))

    assert re.search(r"^FAILED: \d+ of 33 lines are wrong$", simulate("2012", change), re.MULTILINE)
