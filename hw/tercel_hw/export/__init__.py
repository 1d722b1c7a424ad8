"""Export of an accelerator: Verilog, sidecar, registers, scripts of boards."""
