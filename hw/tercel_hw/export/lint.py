"""The lint configuration for Verilator: waived warnings with reasons, for Verilog and models."""

from collections.abc import Mapping

from tercel_hw.primitives.dsp48e2 import OUTPUTS

__all__ = ["MODELS_WAIVED", "WAIVED", "lint_configuration"]

WAIVED = {
    "DECLFILENAME": "one file holds all modules",
    "UNUSEDSIGNAL": "an interface's signals are declared whole; each side uses its own",
    "INITIALDLY": "the register for which combinational processes wait is set after all others",
    "CASEINCOMPLETE": "the value of no case is assigned before the case",
    "WIDTH": "operands are extended by their own sign; conditions of several bits mean: not zero",
    "VARHIDDEN": "a block and a signal in it may have one name",
    "CMPCONST": "a check that needs no logic in a small configuration",
}
"""Waived classes of style; those that show a mistake (UNOPTFLAT, LATCH, ...) stay on.

Verilator stops at a class that it does not know, so all of them are older than the oldest release
that is supported, 5.006; ``WIDTH`` is all that later became ``WIDTHEXPAND`` and ``WIDTHTRUNC``.
"""

MODELS_WAIVED = {
    "DECLFILENAME": "one file holds all models",
    "WIDTH": "names of options are compared, which are not equally long; numbers mean: not zero",
    "UNUSEDSIGNAL": "pins of what is not modelled",
    "UNUSEDPARAM": "options of what is not modelled",
}
"""Waived classes in the models of primitives."""


def lint_configuration(verilog: str, primitives: str | None = None) -> str:
    """Return a Verilator configuration file for a Verilog file.

    ``verilator --lint-only -Wall FILE.vlt FILE.v`` is then silent; with primitives, whose models
    must be named there too.

    Parameters
    ----------
    verilog
        Name of the file.
    primitives
        Name of the file of its primitives' models, if it has any.
    """
    lines = ["`verilator_config", "", *_waived(verilog, WAIVED)]
    if primitives:
        # A missing input is still reported.
        lines.append("// outputs of primitives that nobody wants are left open")
        lines += [
            f'lint_off -rule PINMISSING -file "{file}" -match "*missing pin: \'{pin}\'*"'
            for pin in OUTPUTS
            for file in _places(verilog)
        ]
        lines += ["", *_waived(primitives, MODELS_WAIVED)]
    return "\n".join(lines) + "\n"


def _waived(file: str, rules: Mapping[str, str]) -> list[str]:
    lines = []
    for rule, reason in rules.items():
        lines.append(f"// {reason}")
        lines += [f'lint_off -rule {rule} -file "{place}"' for place in _places(file)]
    return lines


def _places(file: str) -> tuple[str, str]:
    """Return patterns that match a file in any folder, but no longer name with the same end."""
    return file, f"*/{file}"
