"""What Verilator's lint is told not to mind, and why: Verilog that Yosys wrote, and models."""

from collections.abc import Mapping

from tercel_hw.primitives.dsp48e2 import OUTPUTS

__all__ = ["MODELS_WAIVED", "WAIVED", "lint_configuration"]

WAIVED = {
    "DECLFILENAME": "one file holds all modules",
    "UNUSEDSIGNAL": "an interface's signals are declared whole; each side uses its own",
    "PROCASSINIT": "registers start with their value after reset",
    "CASEINCOMPLETE": "the value of no case is assigned before the case",
    "WIDTHEXPAND": "operands are extended as Verilog does: by their own sign",
    "WIDTHTRUNC": "conditions of several bits mean: not zero",
    "VARHIDDEN": "a block and a signal in it may have one name",
    "CMPCONST": "a check that needs no logic in a small configuration",
}
"""Classes of style; those that tell of a mistake (UNOPTFLAT, LATCH, MULTIDRIVEN, ...) stay on."""

MODELS_WAIVED = {
    "DECLFILENAME": "one file holds all models",
    "PROCASSINIT": "registers start with zero",
    "WIDTHEXPAND": "names of options are compared, which are not equally long",
    "WIDTHTRUNC": "numbers of registers and modes mean: not zero",
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
            f'lint_off -rule PINMISSING -file "*{verilog}" -match "*missing pin: \'{pin}\'*"'
            for pin in OUTPUTS
        ]
        lines += ["", *_waived(primitives, MODELS_WAIVED)]
    return "\n".join(lines) + "\n"


def _waived(file: str, rules: Mapping[str, str]) -> list[str]:
    lines = []
    for rule, reason in rules.items():
        lines += [f"// {reason}", f'lint_off -rule {rule} -file "*{file}"']
    return lines
