"""An accelerator's files: Verilog, sidecar, registers, scripts of boards."""
