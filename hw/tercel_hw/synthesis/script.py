"""What Yosys is told to do with a block."""

__all__ = ["FAMILY", "SCRIPT"]

FAMILY = "-family xcup -noiopad -noclkbuf -flatten"
SCRIPT = (
    "read_rtlil {rtlil}",
    f"synth_xilinx {FAMILY} -top {{top}} -run begin:map_memory",
    # Yosys 0.70 believes in a memory of 65536 bits in 8 lookup tables, and then cannot map it.
    'setattr -set ram_style "block" t:$mem_v2 r:SIZE>512 %i a:ram_style %d',
    f"synth_xilinx {FAMILY} -top {{top}} -run map_memory:map_luts",
    # Registers are named by what they hold. Names of wires must go: Yosys 0.70 ends with a failed
    # assertion when it puts mapped logic back among some of them.
    "rename -wire t:FD*",
    "rename -hide w:*",
    f"synth_xilinx {FAMILY} -top {{top}} -run map_luts:",
    "write_json {netlist}",
)
"""Commands; the braces stand for file names and the block's module."""
