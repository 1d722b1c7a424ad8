# The processing system of a Zynq UltraScale+.

# Creates it with the board's settings, and what the accelerator needs; returns the cell.
proc create_processor {} {
    global tercel
    set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e processing_system]
    apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e \
        -config {apply_board_preset 1} $ps
    # A board's settings may fix the divisors of all clocks, so these are made from frequencies
    # again. Of the PLLs, PYNQ before version 4 reads only the IOPLL right. The control port keeps
    # its width of 128 bits, the processing system's after reset: an overlay that is loaded without
    # a device tree sets none.
    set options [list \
        CONFIG.PSU__OVERRIDE__BASIC_CLOCK 0 \
        CONFIG.PSU__FPGA_PL0_ENABLE 1 \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL $tercel(pll) \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $tercel(clock_mhz) \
        CONFIG.PSU__USE__M_AXI_GP0 1 \
        CONFIG.PSU__USE__M_AXI_GP1 0 \
        CONFIG.PSU__USE__M_AXI_GP2 0 \
        CONFIG.PSU__USE__IRQ0 1 \
        CONFIG.PSU__USE__IRQ1 0 \
    ]
    foreach port $tercel(memory_ports) {
        set number [expr {[port_number $port] + 2}]
        lappend options CONFIG.PSU__USE__S_AXI_GP$number 1
        lappend options CONFIG.PSU__SAXIGP${number}__DATA_WIDTH $tercel(port_bits)
    }
    set_property -dict $options $ps
    return $ps
}

# Returns the number of a port S_AXI_HPn_FPD, which is n + 2 in the names of parameters.
proc port_number {port} {
    regexp {^S_AXI_HP(\d)_FPD$} $port -> number
    return $number
}

# Returns the clock that the processing system gives, and its PLL's, in MHz.
proc processor_clock {ps} {
    set achieved [get_property CONFIG.PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ $ps]
    set first [get_property CONFIG.PSU__CRL_APB__PL0_REF_CTRL__DIVISOR0 $ps]
    set second [get_property CONFIG.PSU__CRL_APB__PL0_REF_CTRL__DIVISOR1 $ps]
    return [list $achieved [expr {$achieved * $first * $second}]]
}

# Pins: clocks of a memory port and of the control port, reset, interrupt.
proc port_clock {port} {
    return saxihp[port_number $port]_fpd_aclk
}

proc control_clock {} {
    return maxihpm0_fpd_aclk
}

proc reset_pin {} {
    return pl_resetn0
}

proc interrupt_pin {} {
    return pl_ps_irq0
}

# Returns the path of a port's address segments, and the prefix of their names.
proc port_segments {port} {
    set number [port_number $port]
    return [list SAXIGP[expr {$number + 2}] HP${number}_]
}
