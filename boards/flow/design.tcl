# The project and the block design: processing system, accelerator, and what lies between them.

# Creates the project and the block design "system", checked by the tool.
proc create_system {} {
    global tercel here
    puts "tercel: the block design"
    create_project -force tercel [file join $here vivado] -part $tercel(part)
    set board_parts [lsort -dictionary [get_board_parts -quiet $tercel(board_part)]]
    if {[llength $board_parts] == 0} {
        stop "no board files match $tercel(board_part): install them from Vivado's store or from\
            the board's maker"
    }
    set_property board_part [lindex $board_parts end] [current_project]
    add_files -norecurse [list \
        [file join $here $tercel(verilog)] \
        [file join $here $tercel(wrapper)] \
    ]
    update_compile_order -fileset sources_1

    create_bd_design system
    set ps [create_processor]
    lassign [processor_clock $ps] tercel(achieved_mhz) tercel(pll_mhz)
    check_clock $tercel(clock_mhz) $tercel(achieved_mhz) $tercel(pll_mhz)
    set accelerator [create_bd_cell -type module -reference $tercel(top) accelerator]
    set clock [get_bd_pins $ps/$tercel(clock)]
    set reset [create_reset $ps $accelerator $clock]
    connect_control $ps $accelerator $clock $reset
    foreach interface $tercel(memory_interfaces) port $tercel(memory_ports) {
        connect_memory $ps $accelerator $clock $reset $interface $port
    }
    regenerate_bd_layout
    validate_bd_design
    save_bd_design
}

# One clock for everything, and one reset, synchronous to it; returns the reset's cell.
proc create_reset {ps accelerator clock} {
    set reset [create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset]
    connect_bd_net $clock [get_bd_pins $accelerator/clk] [get_bd_pins $reset/slowest_sync_clk]
    connect_bd_net [get_bd_pins $ps/[reset_pin]] [get_bd_pins $reset/ext_reset_in]
    connect_bd_net [get_bd_pins $reset/peripheral_reset] [get_bd_pins $accelerator/rst]
    return $reset
}

# Registers and interrupt.
proc connect_control {ps accelerator clock reset} {
    global tercel
    set control [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control]
    set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1] $control
    connect_bd_net $clock [get_bd_pins $ps/[control_clock]] [get_bd_pins $control/aclk]
    connect_bd_net [get_bd_pins $reset/interconnect_aresetn] [get_bd_pins $control/aresetn]
    connect_bd_intf_net [get_bd_intf_pins $ps/$tercel(control_port)] \
        [get_bd_intf_pins $control/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins $control/M00_AXI] \
        [get_bd_intf_pins $accelerator/$tercel(control_interface)]
    connect_bd_net [get_bd_pins $accelerator/$tercel(interrupt)] \
        [get_bd_pins $ps/[interrupt_pin]]
    assign_bd_address -offset $tercel(control_base) -range $tercel(control_bytes) \
        -target_address_space [get_bd_addr_spaces $ps/Data] \
        [get_bd_addr_segs $accelerator/$tercel(control_interface)/*]
}

# A memory port: a register slice in front of the processing system's long paths, for its protocol a
# converter if it is AXI3, and every segment of the memory.
proc connect_memory {ps accelerator clock reset interface port} {
    global tercel
    connect_bd_net $clock [get_bd_pins $ps/[port_clock $port]]
    set from [get_bd_intf_pins $accelerator/$interface]
    set slice [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_register_slice slice_$port]
    # Data and answers at full rate; addresses, one a burst, at half of it.
    set_property -dict [list CONFIG.REG_AW 7 CONFIG.REG_AR 7 CONFIG.REG_W 1 CONFIG.REG_R 1 \
        CONFIG.REG_B 7] $slice
    set cells [list $slice]
    if {$tercel(protocol) eq "AXI3"} {
        set converter \
            [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_protocol_converter convert_$port]
        set_property -dict [list CONFIG.SI_PROTOCOL AXI4 CONFIG.MI_PROTOCOL AXI3 \
            CONFIG.TRANSLATION_MODE 2] $converter
        lappend cells $converter
    }
    foreach cell $cells {
        connect_bd_net $clock [get_bd_pins $cell/aclk]
        connect_bd_net [get_bd_pins $reset/peripheral_aresetn] [get_bd_pins $cell/aresetn]
        connect_bd_intf_net $from [get_bd_intf_pins $cell/S_AXI]
        set from [get_bd_intf_pins $cell/M_AXI]
    }
    connect_bd_intf_net $from [get_bd_intf_pins $ps/$port]

    lassign [port_segments $port] path prefix
    set space [get_bd_addr_spaces $accelerator/$interface]
    set wanted {}
    foreach {name base bytes} $tercel(segments) {
        set segment [get_bd_addr_segs $ps/$path/$prefix$name]
        lappend wanted $segment
        assign_bd_address -offset $base -range $bytes -target_address_space $space $segment
    }
    # What else the port reaches (on-chip memory, flash) is not for the accelerator.
    foreach segment [get_bd_addr_segs $ps/$path/*] {
        if {$segment ni $wanted} {
            exclude_bd_addr_seg -target_address_space $space $segment
        }
    }
}
