"""Messages of an emission that fails or is interrupted."""

import subprocess
import sys

import pytest

INTERRUPTED = """
import typer
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring
from tercel.cli.group import CommandGroup
from tercel_hw.emission import emit_rtlil

class Part(Elaboratable):
    def elaborate(self, platform):
        raise {error}

class Top(wiring.Component):
    def elaborate(self, platform):
        m = Module()
        m.submodules += [Part() for _ in range(5)]
        return m

app = typer.Typer(cls=CommandGroup)
app.callback()(lambda: None)
app.command("make")(lambda: print(emit_rtlil(Top({{}}), "top")))
app()
"""


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        ("KeyboardInterrupt", 130, ""),
        ("__import__('tercel.errors').errors.TercelError('the rule')", 2, "error: the rule\n"),
    ],
)
def test_what_an_end_leaves_half_elaborated_is_not_told(error, status, message):
    command = [sys.executable, "-c", INTERRUPTED.format(error=error), "make"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", message)
