# The vendor's cores that block designs are made of: parameters with their values, pins, interfaces.

set bit {0 1}
set number {[0-9]+(\.[0-9]+)?}

# By core: patterns of parameters and their values, a list or a pattern in a list of one.
set parameters(zynq_ultra_ps_e) [list \
    {PSU__OVERRIDE__BASIC_CLOCK} $bit \
    {PSU__FPGA_PL[0-3]_ENABLE} $bit \
    {PSU__CRL_APB__PL[0-3]_REF_CTRL__SRCSEL} {IOPLL RPLL DPLL} \
    {PSU__CRL_APB__PL[0-3]_REF_CTRL__FREQMHZ} [list $number] \
    {PSU__CRL_APB__PL[0-3]_REF_CTRL__(DIVISOR[01]|ACT_FREQMHZ)} {} \
    {PSU__USE__M_AXI_GP[0-2]} $bit \
    {PSU__MAXIGP[0-2]__DATA_WIDTH} {32 64 128} \
    {PSU__USE__S_AXI_GP[0-6]} $bit \
    {PSU__SAXIGP[0-6]__DATA_WIDTH} {32 64 128} \
    {PSU__USE__IRQ[01]} $bit \
]
set parameters(processing_system7) [list \
    {PCW_EN_CLK[0-3]_PORT} $bit \
    {PCW_EN_RST[0-3]_PORT} $bit \
    {PCW_FPGA_FCLK[0-3]_ENABLE} $bit \
    {PCW_FCLK[0-3]_PERIPHERAL_CLKSRC} {{IO PLL} {ARM PLL} {DDR PLL}} \
    {PCW_FPGA[0-3]_PERIPHERAL_FREQMHZ} [list $number] \
    {PCW_FCLK[0-3]_PERIPHERAL_DIVISOR[01]} {} \
    {PCW_ACT_FPGA[0-3]_PERIPHERAL_FREQMHZ} {} \
    {PCW_USE_M_AXI_GP[01]} $bit \
    {PCW_USE_S_AXI_HP[0-3]} $bit \
    {PCW_S_AXI_HP[0-3]_DATA_WIDTH} {32 64} \
    {PCW_USE_FABRIC_INTERRUPT} $bit \
    {PCW_IRQ_F2P_INTR} $bit \
]
set parameters(smartconnect) {NUM_SI {[1-9]} NUM_MI {[1-9]} NUM_CLKS {[1-9]} HAS_ARESETN {0 1}}
set parameters(proc_sys_reset) {C_EXT_RST_WIDTH {[0-9]+} C_EXT_RESET_HIGH {0 1}}
set parameters(axi_register_slice) {REG_(AW|AR|W|R|B) {0 1 7 9 10 11 12 13 14 15}}
set parameters(axi_protocol_converter) {
    (SI|MI)_PROTOCOL {AXI4 AXI3 AXI4LITE}
    TRANSLATION_MODE {0 1 2}
    DATA_WIDTH {32 64 128 256 512 1024}
    ID_WIDTH {[0-9]+}
}

# Rules of board automation, and what each may be told.
set automations {
    xilinx.com:bd_rule:zynq_ultra_ps_e {apply_board_preset}
    xilinx.com:bd_rule:processing_system7 {make_external apply_board_preset Master Slave}
}

# What a board's settings may leave on, as those of the Ultra96-V2 do.
set preset(zynq_ultra_ps_e) {
    PSU__OVERRIDE__BASIC_CLOCK 1 PSU__USE__M_AXI_GP1 1 PSU__USE__IRQ1 1
    PSU__CRL_APB__PL0_REF_CTRL__SRCSEL RPLL PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ 100
}
set preset(processing_system7) {
    PCW_USE_M_AXI_GP1 1 PCW_FPGA0_PERIPHERAL_FREQMHZ 50 PCW_FCLK0_PERIPHERAL_CLKSRC {IO PLL}
}

set plls {IOPLL 1499.985004 RPLL 1066.656006 DPLL 1066.656006
    {IO PLL} 1000.0 {ARM PLL} 1300.0 {DDR PLL} 1050.0}

# Pins of a core: name, direction, and whether the tool demands a connection.
proc core_pins {core cell} {
    switch $core {
        zynq_ultra_ps_e {
            set pins {pl_resetn0 O 0}
            if {[parameter $cell PSU__FPGA_PL0_ENABLE 0]} {
                lappend pins pl_clk0 O 0
            }
            if {[parameter $cell PSU__USE__IRQ0 0]} {
                lappend pins pl_ps_irq0 I 0
            }
            foreach {master name} {0 maxihpm0_fpd 1 maxihpm1_fpd 2 maxihpm0_lpd} {
                if {[parameter $cell PSU__USE__M_AXI_GP$master 0]} {
                    lappend pins ${name}_aclk I 1
                }
            }
            for {set port 0} {$port < 4} {incr port} {
                if {[parameter $cell PSU__USE__S_AXI_GP[expr {$port + 2}] 0]} {
                    lappend pins saxihp${port}_fpd_aclk I 1
                }
            }
        }
        processing_system7 {
            set pins {}
            if {[parameter $cell PCW_EN_CLK0_PORT 0] && [parameter $cell PCW_FPGA_FCLK0_ENABLE 0]} {
                lappend pins FCLK_CLK0 O 0
            }
            if {[parameter $cell PCW_EN_RST0_PORT 0]} {
                lappend pins FCLK_RESET0_N O 0
            }
            if {[parameter $cell PCW_USE_FABRIC_INTERRUPT 0] && [parameter $cell PCW_IRQ_F2P_INTR 0]} {
                lappend pins IRQ_F2P I 0
            }
            foreach master {0 1} {
                if {[parameter $cell PCW_USE_M_AXI_GP$master 0]} {
                    lappend pins M_AXI_GP${master}_ACLK I 1
                }
            }
            for {set port 0} {$port < 4} {incr port} {
                if {[parameter $cell PCW_USE_S_AXI_HP$port 0]} {
                    lappend pins S_AXI_HP${port}_ACLK I 1
                }
            }
        }
        proc_sys_reset {
            set pins {slowest_sync_clk I 1 ext_reset_in I 1 aux_reset_in I 0 mb_debug_sys_rst I 0
                dcm_locked I 0 mb_reset O 0 bus_struct_reset O 0 peripheral_reset O 0
                interconnect_aresetn O 0 peripheral_aresetn O 0}
        }
        default {
            set pins {aclk I 1 aresetn I 1}
        }
    }
    return $pins
}

# Interfaces of a core: name, mode, protocol and width of data; "" is what the other side has.
proc core_interfaces {core cell} {
    set found {}
    switch $core {
        zynq_ultra_ps_e {
            foreach {master name} {0 HPM0_FPD 1 HPM1_FPD 2 HPM0_LPD} {
                if {[parameter $cell PSU__USE__M_AXI_GP$master 0]} {
                    lappend found M_AXI_$name master AXI4 \
                        [parameter $cell PSU__MAXIGP${master}__DATA_WIDTH 128]
                }
            }
            for {set port 0} {$port < 4} {incr port} {
                set number [expr {$port + 2}]
                if {[parameter $cell PSU__USE__S_AXI_GP$number 0]} {
                    lappend found S_AXI_HP${port}_FPD slave AXI4 \
                        [parameter $cell PSU__SAXIGP${number}__DATA_WIDTH 128]
                }
            }
        }
        processing_system7 {
            foreach master {0 1} {
                if {[parameter $cell PCW_USE_M_AXI_GP$master 0]} {
                    lappend found M_AXI_GP$master master AXI3 32
                }
            }
            for {set port 0} {$port < 4} {incr port} {
                if {[parameter $cell PCW_USE_S_AXI_HP$port 0]} {
                    lappend found S_AXI_HP$port slave AXI3 \
                        [parameter $cell PCW_S_AXI_HP${port}_DATA_WIDTH 64]
                }
            }
        }
        smartconnect {
            for {set index 0} {$index < [parameter $cell NUM_SI 2]} {incr index} {
                lappend found [format S%02d_AXI $index] slave "" ""
            }
            for {set index 0} {$index < [parameter $cell NUM_MI 1]} {incr index} {
                lappend found [format M%02d_AXI $index] master "" ""
            }
        }
        axi_register_slice {
            lappend found S_AXI slave "" "" M_AXI master "" ""
        }
        axi_protocol_converter {
            lappend found S_AXI slave [parameter $cell SI_PROTOCOL AXI4] "" \
                M_AXI master [parameter $cell MI_PROTOCOL AXI4LITE] ""
        }
    }
    return $found
}

# Address segments of a core: path, first byte, number of bytes.
proc core_segments {core} {
    set found {}
    for {set port 0} {$port < 4} {incr port} {
        set path SAXIGP[expr {$port + 2}]/HP${port}
        switch $core {
            zynq_ultra_ps_e {
                lappend found ${path}_DDR_LOW 0x0 0x80000000 ${path}_DDR_HIGH 0x800000000 0x800000000 \
                    ${path}_LPS_OCM 0xFF000000 0x1000000 ${path}_QSPI 0xC0000000 0x20000000
            }
            processing_system7 {
                lappend found S_AXI_HP$port/HP${port}_DDR_LOWOCM 0x0 0x40000000
            }
        }
    }
    return $found
}
