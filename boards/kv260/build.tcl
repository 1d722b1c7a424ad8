# Builds the bitstream of the tercel accelerator on the KV260.
#
#   tercel hdl --board kv260 -o build/kv260 && cd build/kv260 && vivado -mode batch -source build.tcl
#
# NOT RUN by its authors, who have no Vivado: written from the vendor's documentation. If your release is not in
# tested_vivado of board.toml the script says so and goes on; please report what you find.
#
# settings.tcl is written by `tercel hdl`: everything that depends on the accelerator or the board.

set here [file dirname [file normalize [info script]]]
source [file join $here settings.tcl]

proc stop {message} {
    puts "ERROR: $message"
    exit 1
}

# --- The release ---

set release [version -short]
set oldest 2022.1
if {[string first $release $tercel(tested_vivado)] < 0} {
    puts "WARNING: Vivado $release is not among the tested releases: {$tercel(tested_vivado)}"
}
if {[package vcompare [regsub {[^0-9.].*$} $release ""] $oldest] < 0} {
    stop "Vivado must be $oldest or newer, not $release"
}

# --- The project ---

set project [file join $here vivado]
create_project -force tercel $project -part $tercel(part)
set board_parts [lsort -dictionary [get_board_parts -quiet $tercel(board_part)]]
if {[llength $board_parts] == 0} {
    stop "no board files match $tercel(board_part): install them from the Vivado store"
}
set_property board_part [lindex $board_parts end] [current_project]
add_files -norecurse [list \
    [file join $here $tercel(verilog)] \
    [file join $here $tercel(wrapper)] \
]
update_compile_order -fileset sources_1

# --- The block design ---

create_bd_design system
set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e processing_system]
apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e \
    -config {apply_board_preset 1} $ps

# The port S_AXI_HPn_FPD is number n + 2 in the names of the block's parameters.
set options [list \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $tercel(clock_mhz) \
    CONFIG.PSU__USE__M_AXI_GP0 1 \
    CONFIG.PSU__MAXIGP0__DATA_WIDTH 32 \
    CONFIG.PSU__USE__M_AXI_GP1 0 \
    CONFIG.PSU__USE__M_AXI_GP2 0 \
    CONFIG.PSU__USE__IRQ0 1 \
]
foreach port $tercel(memory_ports) {
    regexp {HP(\d)} $port -> number
    set number [expr {$number + 2}]
    lappend options CONFIG.PSU__USE__S_AXI_GP$number 1
    lappend options CONFIG.PSU__SAXIGP${number}__DATA_WIDTH $tercel(port_bits)
}
set_property -dict $options $ps

set accelerator [create_bd_cell -type module -reference $tercel(top) accelerator]
set reset [create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset]
set control [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control]
set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1] $control

# Clock and reset: one of each for everything.
set clock [get_bd_pins $ps/$tercel(clock)]
connect_bd_net $clock \
    [get_bd_pins $accelerator/clk] \
    [get_bd_pins $reset/slowest_sync_clk] \
    [get_bd_pins $control/aclk] \
    [get_bd_pins $ps/maxihpm0_fpd_aclk]
connect_bd_net [get_bd_pins $ps/pl_resetn0] [get_bd_pins $reset/ext_reset_in]
connect_bd_net [get_bd_pins $reset/peripheral_reset] [get_bd_pins $accelerator/rst]
connect_bd_net [get_bd_pins $reset/interconnect_aresetn] [get_bd_pins $control/aresetn]

# Registers and interrupt.
connect_bd_intf_net [get_bd_intf_pins $ps/$tercel(control_port)] [get_bd_intf_pins $control/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins $control/M00_AXI] \
    [get_bd_intf_pins $accelerator/$tercel(control_interface)]
connect_bd_net [get_bd_pins $accelerator/$tercel(interrupt)] [get_bd_pins $ps/pl_ps_irq0]

# Memory: each of the accelerator's ports straight to one of the processing system's.
foreach interface $tercel(memory_interfaces) port $tercel(memory_ports) {
    connect_bd_intf_net [get_bd_intf_pins $accelerator/$interface] [get_bd_intf_pins $ps/$port]
    regexp {HP(\d)} $port -> number
    connect_bd_net $clock [get_bd_pins $ps/saxihp${number}_fpd_aclk]
}

# --- Addresses ---

assign_bd_address -offset $tercel(control_base) -range $tercel(control_bytes) \
    -target_address_space [get_bd_addr_spaces $ps/Data] \
    [get_bd_addr_segs $accelerator/$tercel(control_interface)/*]
foreach interface $tercel(memory_interfaces) port $tercel(memory_ports) {
    regexp {HP(\d)} $port -> number
    foreach segment $tercel(segments) {
        assign_bd_address \
            -target_address_space [get_bd_addr_spaces $accelerator/$interface] \
            [get_bd_addr_segs $ps/SAXIGP[expr {$number + 2}]/HP${number}_$segment]
    }
}
regenerate_bd_layout
validate_bd_design
save_bd_design

# --- Synthesis, implementation, bitstream ---

set design [get_files system.bd]
generate_target all $design
set top [make_wrapper -files $design -top]
add_files -norecurse $top
set_property top system_wrapper [current_fileset]
update_compile_order -fileset sources_1

set_property STEPS.PHYS_OPT_DESIGN.IS_ENABLED true [get_runs impl_1]
set_property STEPS.PHYS_OPT_DESIGN.ARGS.DIRECTIVE AggressiveExplore [get_runs impl_1]
set_property STEPS.ROUTE_DESIGN.ARGS.DIRECTIVE Explore [get_runs impl_1]
foreach {run steps} {synth_1 {} impl_1 {-to_step write_bitstream}} {
    launch_runs $run {*}$steps -jobs 4
    wait_on_run $run
    if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
        stop "$run ended with [get_property STATUS [get_runs $run]]; see its log under $project"
    }
}

# --- Reports ---

open_run impl_1
set reports [file join $here reports]
file mkdir $reports
report_timing_summary -file [file join $reports timing.txt]
report_utilization -hierarchical -file [file join $reports utilisation.txt]
report_power -file [file join $reports power.txt]
set failed 0
foreach {name kind} {setup max hold min} {
    set path [get_timing_paths -delay_type $kind -max_paths 1]
    set slack [get_property SLACK $path]
    puts "$name: slack $slack ns, from [get_property STARTPOINT_PIN $path] to\
        [get_property ENDPOINT_PIN $path]"
    if {$slack < 0} {
        set failed 1
    }
}
if {$failed} {
    stop "timing is not met at $tercel(clock_mhz) MHz; see [file join $reports timing.txt]"
}

# --- What the driver loads: both files under one name ---

file copy -force [file join $project tercel.runs impl_1 system_wrapper.bit] \
    [file join $here tercel.bit]
file copy -force [file join $project tercel.gen sources_1 bd system hw_handoff system.hwh] \
    [file join $here tercel.hwh]
puts "built tercel.bit and tercel.hwh with Vivado $release"
