# The processing system of a Zynq-7000.

# Creates it with the board's settings, and what the accelerator needs; returns the cell.
proc create_processor {} {
    global tercel
    set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 processing_system]
    apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \
        -config {make_external "FIXED_IO, DDR" apply_board_preset 1 Master Disable Slave Disable} \
        $ps
    set options [list \
        CONFIG.PCW_EN_CLK0_PORT 1 \
        CONFIG.PCW_EN_RST0_PORT 1 \
        CONFIG.PCW_FPGA_FCLK0_ENABLE 1 \
        CONFIG.PCW_FCLK0_PERIPHERAL_CLKSRC $tercel(pll) \
        CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $tercel(clock_mhz) \
        CONFIG.PCW_USE_M_AXI_GP0 1 \
        CONFIG.PCW_USE_M_AXI_GP1 0 \
        CONFIG.PCW_USE_FABRIC_INTERRUPT 1 \
        CONFIG.PCW_IRQ_F2P_INTR 1 \
    ]
    foreach port $tercel(memory_ports) {
        set number [port_number $port]
        lappend options CONFIG.PCW_USE_S_AXI_HP$number 1
        lappend options CONFIG.PCW_S_AXI_HP${number}_DATA_WIDTH $tercel(port_bits)
    }
    set_property -dict $options $ps
    return $ps
}

# Returns the number of a port S_AXI_HPn.
proc port_number {port} {
    regexp {^S_AXI_HP(\d)$} $port -> number
    return $number
}

# Returns the clock that the processing system gives, and its PLL's, in MHz.
proc processor_clock {ps} {
    set achieved [get_property CONFIG.PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ $ps]
    set first [get_property CONFIG.PCW_FCLK0_PERIPHERAL_DIVISOR0 $ps]
    set second [get_property CONFIG.PCW_FCLK0_PERIPHERAL_DIVISOR1 $ps]
    return [list $achieved [expr {$achieved * $first * $second}]]
}

# Pins: clocks of a memory port and of the control port, reset, interrupt.
proc port_clock {port} {
    return ${port}_ACLK
}

proc control_clock {} {
    return M_AXI_GP0_ACLK
}

proc reset_pin {} {
    return FCLK_RESET0_N
}

proc interrupt_pin {} {
    return IRQ_F2P
}

# Returns the path of a port's address segments, and the prefix of their names.
proc port_segments {port} {
    return [list $port HP[port_number $port]_]
}
