"""A FuseSoC core file."""

import tercel

__all__ = ["core_file"]


def core_file(*, module: str, verilog: str, primitives: str | None, lint: str) -> str:
    """The accelerator as a CAPI2 core.

    Parameters
    ----------
    module
        Top module.
    verilog, primitives, lint
        Names of the files beside it: the Verilog, models of its primitives if it has any, and
        Verilator's configuration.
    """
    models = f"""
  primitives: # behavioural models, for lint and simulation: synthesis has its own
    files:
      - {primitives}
    file_type: verilogSource-2005"""
    return f"""CAPI=2:
name: tercel:accelerator:{module}:{tercel.__version__}
description: Ternary language model accelerator

filesets:
  rtl:
    files:
      - {verilog}
    file_type: verilogSource-2005{models if primitives else ""}
  lint:
    files:
      - {lint}
    file_type: vlt

targets:
  default: &default
    filesets: [rtl]
    toplevel: {module}
  lint:
    <<: *default
    filesets: [lint, rtl{", primitives" if primitives else ""}]
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [--lint-only, -Wall]
"""
