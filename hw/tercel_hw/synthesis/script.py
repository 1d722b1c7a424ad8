"""The Yosys script of a block's synthesis."""

from tercel_hw.target import Target

__all__ = ["options", "script"]

FAMILIES = {
    Target.PORTABLE: "xcup",
    Target.SERIES_7: "xc7",
    Target.ULTRASCALE_PLUS: "xcup",
}
"""Yosys' name of the family of devices on which each target is measured."""


def options(target: Target) -> str:
    """Return the options of ``synth_xilinx`` for a target."""
    return f"-family {FAMILIES[target]} -noiopad -noclkbuf -flatten"


def script(target: Target) -> tuple[str, ...]:
    """Return the commands; braces are placeholders of file names and the block's module."""
    family = options(target)
    return (
        "read_rtlil {rtlil}",
        f"synth_xilinx {family} -top {{top}} -run begin:map_memory",
        # Yosys 0.70 selects a memory of 65536 bits in 8 lookup tables, which it cannot map.
        'setattr -set ram_style "block" t:$mem_v2 r:SIZE>512 %i a:ram_style %d',
        f"synth_xilinx {family} -top {{top}} -run map_memory:map_luts",
        # Registers are named by their signals. Names of wires must go: Yosys 0.70 ends with a
        # failed assertion when it puts mapped logic back among some of them.
        "rename -wire t:FD*",
        "rename -hide w:*",
        f"synth_xilinx {family} -top {{top}} -run map_luts:",
        "write_json {netlist}",
    )
