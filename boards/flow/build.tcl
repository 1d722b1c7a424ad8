# Builds the overlay of the tercel accelerator for a board with a Zynq-7000 or Zynq UltraScale+.
#
#   tercel hdl --board kv260 -o build/kv260 && cd build/kv260 && vivado -mode batch -source flow/build.tcl
#
# or `make bitstream BOARD=kv260`. NOT RUN by its authors, who have no Vivado: written after public scripts,
# and run under tclsh with stand-ins for the vendor's commands. Please report what you find.
#
# settings.tcl is written by `tercel hdl`: everything that depends on the accelerator or the board.

set flow [file dirname [file normalize [info script]]]
set here [file dirname $flow]
source [file join $here settings.tcl]
foreach part [list release reports clock core $tercel(processor) design implement overlay] {
    source [file join $flow $part.tcl]
}

set release [check_release [version -short] $tercel(oldest_vivado) $tercel(tested_vivado)]
set reports [file join $here reports]
file mkdir $reports
synthesise_core
create_system
set found [implement]
write_overlay $found
exit 0
