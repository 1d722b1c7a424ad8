"""What Verilator's lint is told not to mind, and why: Verilog that Yosys wrote, and models."""

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
"""Classes of style; those that tell of a mistake (UNOPTFLAT, LATCH, MULTIDRIVEN, ...) stay on.

Verilator stops at a class that it does not know, so all of them are older than the oldest release
that is supported, 5.006; ``WIDTH`` is all that later became ``WIDTHEXPAND`` and ``WIDTHTRUNC``.
"""

MODELS_WAIVED = {
    "DECLFILENAME": "one file holds all models",
    "WIDTH": "names of options are compared, which are not equally long; numbers mean: not zero",
    "UNUSEDSIGNAL": "pins of what is not modelled",
    "UNUSEDPARAM": "options of what is not modelled",
}
"""The same of the models of primitives."""


def lint_configuration(verilog: str, primitives: str | None = None) -> str:
    """A Verilator configuration file for a Verilog file.

    ``verilator --lint-only -Wall FILE.vlt FILE.v`` is then silent; with primitives, whose models
    must be named there too.

    Parameters
    ----------
    verilog
        Name of the file.
    primitives
        That of the models of its primitives, if it has any.
    """
    lines = ["`verilator_config", "", *_waived(verilog, WAIVED)]
    if primitives:
        # A missing input stays a mistake.
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
    """Patterns of a file here or in any folder, but of none whose name ends with its."""
    return file, f"*/{file}"
