"""What Verilator's lint is told not to mind in Verilog that Yosys wrote, and why."""

__all__ = ["WAIVED", "lint_configuration"]

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


def lint_configuration(verilog: str) -> str:
    """A Verilator configuration file for a Verilog file.

    ``verilator --lint-only -Wall FILE.vlt FILE.v`` is then silent.

    Parameters
    ----------
    verilog
        Name of the file.
    """
    lines = ["`verilator_config", ""]
    for rule, reason in WAIVED.items():
        lines += [f"// {reason}", f'lint_off -rule {rule} -file "*{verilog}"']
    return "\n".join(lines) + "\n"
