"""A FuseSoC core file."""

import tercel

__all__ = ["core_file"]


def core_file(*, module: str, verilog: str, lint: str) -> str:
    """The accelerator as a CAPI2 core.

    Parameters
    ----------
    module
        Top module.
    verilog, lint
        Names of the files beside it: the Verilog and Verilator's configuration.
    """
    return f"""CAPI=2:
name: tercel:accelerator:{module}:{tercel.__version__}
description: Ternary language model accelerator

filesets:
  rtl:
    files:
      - {verilog}
    file_type: verilogSource-2005
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
    filesets: [lint, rtl]
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [--lint-only, -Wall]
"""
