"""Export of a FuseSoC core file."""

import tercel

__all__ = ["core_file"]


def core_file(*, module: str, verilog: str, primitives: str | None, lint: str) -> str:
    """Return the accelerator's core file, CAPI2.

    Its target ``default``, which is what a depending design gets, has everything for every tool:
    with FuseSoC's flows a core does not learn which tool it is for. Other tools than Verilator pass
    over its configuration, and in synthesis the models of primitives are empty.

    Parameters
    ----------
    module
        Top module, and the core's name.
    verilog, primitives, lint
        Names of the files beside it: the Verilog, models of its primitives if it has any, and
        Verilator's configuration.
    """
    models = f"""
  primitives: # behavioural models, which are empty where SYNTHESIS is defined
    files:
      - {primitives}
    file_type: verilogSource-2005"""
    filesets = "[lint, rtl, primitives]" if primitives else "[lint, rtl]"
    return f"""CAPI=2:
name: tercel:accelerator:{module}:{tercel.__version__}
description: Ternary language model accelerator

filesets:
  rtl:
    files:
      - {verilog}
    file_type: verilogSource-2005{models if primitives else ""}
  lint: # for Verilator
    files:
      - {lint}
    file_type: vlt

targets:
  default: &default
    filesets: {filesets}
    toplevel: {module}
  lint:
    <<: *default
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall]
"""
