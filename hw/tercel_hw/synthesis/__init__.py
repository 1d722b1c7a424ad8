"""Resources and logic depth of the accelerator's blocks, by Yosys."""
