# The overlay folder: what both lanes of the runtime load, under one base name.

# Adds bitstream, hardware description and the build's record to what `tercel hdl` wrote.
proc write_overlay {run} {
    global tercel here reports
    set overlay [file join $here overlay]
    file mkdir $overlay
    set base [file join $overlay $tercel(stem)]
    set bit [file join [get_property DIRECTORY [get_runs $run]] system_wrapper.bit]
    file copy -force $bit $base.bit
    file copy -force \
        [file join $here vivado tercel.gen sources_1 bd system hw_handoff system.hwh] $base.hwh
    # For the kernel's FPGA manager: without the header, bytes in the order of the device.
    write_cfgmem -force -format BIN -interface SMAPx32 -disablebitswap \
        -loadbit "up 0x0 $bit" $base.bit.bin
    file delete $base.bit.prm
    file copy -force [file join $reports $tercel(stem)_build.json] ${base}_build.json
    puts "tercel: built $overlay"
}
