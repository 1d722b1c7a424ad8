"""The Yosys script of a block's synthesis."""

__all__ = ["FAMILY", "SCRIPT"]

FAMILY = "-family xcup -noiopad -noclkbuf -flatten"
SCRIPT = (
    "read_rtlil {rtlil}",
    f"synth_xilinx {FAMILY} -top {{top}} -run begin:map_memory",
    # Yosys 0.70 selects a memory of 65536 bits in 8 lookup tables, which it cannot map.
    'setattr -set ram_style "block" t:$mem_v2 r:SIZE>512 %i a:ram_style %d',
    f"synth_xilinx {FAMILY} -top {{top}} -run map_memory:map_luts",
    # Registers are named by their signals. Names of wires must go: Yosys 0.70 ends with a failed
    # assertion when it puts mapped logic back among some of them.
    "rename -wire t:FD*",
    "rename -hide w:*",
    f"synth_xilinx {FAMILY} -top {{top}} -run map_luts:",
    "write_json {netlist}",
)
"""Commands; the braces are placeholders of file names and the block's module."""
