# What the stand-ins do: a project, a block design, runs and reports, as far as the scripts can see them.

array set cells {} ;# core, or the module's name, of each cell of the block design
array set values {} ;# parameters that were set, by cell and name
array set nets {} ;# driver of each pin
array set links {} ;# other side of each interface
array set assigned {} ;# first byte and size by address space and segment
array set states {} ;# progress, strategy and parent of each run
set excluded {}
set automated {}
set project ""
set open ""

proc wrong {text} {
    error $text
}

proc one_of {what value allowed} {
    if {$value ni $allowed} {
        wrong "$what must be one of [join $allowed {, }], not $value"
    }
}

proc demand {options args} {
    foreach name $args {
        if {![dict exists $options $name]} {
            wrong "the option $name is missing"
        }
    }
}

proc in_project {} {
    if {$::project eq ""} {
        wrong "no project is open"
    }
}

proc existing {path} {
    if {![file exists $path]} {
        wrong "there is no file $path"
    }
}

proc touch {path {text "made by a stand-in"}} {
    file mkdir [file dirname $path]
    set file [open $path w]
    puts $file $text
    close $file
}

# --- Project and sources ---

proc do_version {options} {
    return $::scenario(release)
}

proc do_create_project {options {name ""} {folder ""}} {
    demand $options -part
    if {$::project ne ""} {
        wrong "a project is open already"
    }
    one_of part [dict get $options -part] [list $::scenario(part)]
    set ::project $folder
    if {[dict exists $options -in_memory]} {
        set ::project memory
    } elseif {$folder eq ""} {
        wrong "create_project needs a folder"
    }
}

proc do_close_project {options} {
    in_project
    set ::project ""
    set ::open ""
}

proc do_current_project {options args} {
    in_project
    return project
}

proc do_get_board_parts {options {pattern *}} {
    return [lmap part $::scenario(board_parts) {
        if {![string match $pattern $part]} continue
        set part
    }]
}

proc do_add_files {options files} {
    in_project
    foreach file $files {
        existing $file
        lappend ::sources $file
    }
}

proc do_update_compile_order {options} {
    in_project
}

proc do_current_fileset {options args} {
    in_project
    return sources
}

proc do_get_files {options {pattern *}} {
    one_of file $pattern $::designs
    return $pattern
}

proc do_read_verilog {options file} {
    in_project
    existing $file
}

proc do_read_xdc {options file} {
    in_project
    existing $file
    one_of -mode [dict get $options -mode] {default out_of_context}
    set ::constraints [read [open $file]]
}

# --- Synthesis and reports ---

proc do_synth_design {options} {
    in_project
    demand $options -top -part
    one_of -mode [dict get $options -mode] {default out_of_context}
    one_of -part [dict get $options -part] [list $::scenario(part)]
    one_of -top [dict get $options -top] [list $::scenario(core)]
    if {![regexp {^create_clock -name clk -period [0-9.]+ \[get_ports clk\]} $::constraints]} {
        wrong "the core has no clock"
    }
    set ::open core
}

proc in_design {} {
    if {$::open eq ""} {
        wrong "no design is open"
    }
}

proc do_write_checkpoint {options file} {
    in_design
    touch $file
}

# A report goes to a file or is returned.
proc report {options text} {
    in_design
    if {[dict exists $options -file]} {
        touch [dict get $options -file] $text
    } elseif {[dict exists $options -return_string]} {
        return $text
    }
    return ""
}

proc do_report_utilization {options} {
    return [report $options $::scenario(utilisation)]
}

proc do_report_power {options} {
    return [report $options "power"]
}

proc do_report_timing_summary {options} {
    in_design
    set slacks $::scenario(slack,default)
    if {[info exists ::scenario(slack,$::open)]} {
        set slacks $::scenario(slack,$::open)
    }
    lassign $slacks setup hold pulse
    set head "1. checking no_clock ($::scenario(no_clock))\n| Design Timing Summary\n\n"
    foreach name {WNS TNS {TNS Failing} {TNS Total} WHS THS {THS Failing} {THS Total} WPWS TPWS} {
        append head [expr {[llength $name] > 1 ? "  $name Endpoints" : "    ${name}(ns)"}]
    }
    append head "  TPWS Failing Endpoints  TPWS Total Endpoints\n    -------\n"
    return [report $options "$head    $setup 0.000 0 900 $hold 0.000 0 900 $pulse 0.000 0 300\n"]
}

proc do_get_msg_config {options} {
    demand $options -severity -count
    one_of -severity [dict get $options -severity] {ERROR {CRITICAL WARNING} WARNING INFO STATUS}
    return 2
}

# --- Properties ---

proc do_set_property {options args} {
    in_project
    if {[dict exists $options -dict]} {
        lassign $args object
        foreach {name value} [dict get $options -dict] {
            set_one $name $value $object
        }
    } else {
        lassign $args name value object
        set_one $name $value $object
    }
}

proc set_one {name value object} {
    if {$object eq "project"} {
        one_of property $name board_part
        one_of board_part $value $::scenario(board_parts)
    } elseif {$object eq "sources"} {
        one_of property $name top
        one_of top $value system_wrapper
    } elseif {$object in $::designs} {
        one_of property $name synth_checkpoint_mode
        one_of $name $value {None Singular Hierarchical}
    } elseif {[info exists ::cells($object)]} {
        set_parameter $object $name $value
    } else {
        wrong "set_property: there is no object $object"
    }
}

proc set_parameter {cell name value} {
    if {![string match CONFIG.* $name]} {
        wrong "$name is no parameter: they begin with CONFIG."
    }
    set name [string range $name 7 end]
    foreach {pattern allowed} $::parameters($::cells($cell)) {
        if {[regexp "^($pattern)\$" $name]} {
            if {![llength $allowed]} {
                wrong "$name is read only"
            }
            if {$value ni $allowed && !([llength $allowed] == 1 && [regexp "^([lindex $allowed 0])\$" $value])} {
                wrong "$name must be one of [join $allowed {, }], not $value"
            }
            set ::values($cell,$name) $value
            return
        }
    }
    wrong "$::cells($cell) has no parameter $name"
}

proc parameter {cell name default} {
    return [expr {[info exists ::values($cell,$name)] ? $::values($cell,$name) : $default}]
}

proc do_get_property {options name object} {
    if {[info exists ::states($object)]} {
        one_of property $name {PROGRESS STATUS DIRECTORY FLOW STRATEGY}
        if {$name eq "DIRECTORY"} {
            return [file join $::project tercel.runs $object]
        }
        return [dict get $::states($object) $name]
    }
    if {![info exists ::cells($object)]} {
        wrong "get_property: there is no object $object"
    }
    return [clock_property [string range $name 7 end] $object]
}

# Properties of the clock for the logic.
proc clock_property {name cell} {
    set zynqmp {^PSU__CRL_APB__PL0_REF_CTRL__(ACT_FREQMHZ|DIVISOR[01])$}
    if {[regexp $zynqmp $name -> part]} {
        set pll [parameter $cell PSU__CRL_APB__PL0_REF_CTRL__SRCSEL RPLL]
        set asked [parameter $cell PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ 100]
        if {[parameter $cell PSU__OVERRIDE__BASIC_CLOCK 0]} {
            set asked 100
        }
    } elseif {[regexp {^PCW_(ACT_FPGA0_PERIPHERAL_FREQMHZ|FCLK0_PERIPHERAL_DIVISOR[01])$} $name part]} {
        set pll [parameter $cell PCW_FCLK0_PERIPHERAL_CLKSRC {IO PLL}]
        set asked [parameter $cell PCW_FPGA0_PERIPHERAL_FREQMHZ 50]
    } else {
        wrong "$::cells($cell) has no property $name"
    }
    set rate [dict get $::plls $pll]
    set divisor [expr {int(ceil($rate / $asked - 0.001))}]
    switch -glob $part {
        *ACT* {return [format %.6f [expr {$rate / $divisor}]]}
        *DIVISOR0 {return $divisor}
        default {return 1}
    }
}

# --- The block design ---

set designs {}

proc do_create_bd_design {options name} {
    in_project
    lappend ::designs $name.bd
}

proc do_create_bd_cell {options name} {
    demand $options -type
    if {[info exists ::cells($name)]} {
        wrong "there is a cell $name already"
    }
    switch [dict get $options -type] {
        ip {
            demand $options -vlnv
            if {![regexp {^xilinx\.com:ip:([a-z0-9_]+)(:[0-9.]+)?$} [dict get $options -vlnv] -> core]} {
                wrong "[dict get $options -vlnv] is no core"
            }
            one_of core $core [array names ::parameters]
            set ::cells($name) $core
        }
        module {
            demand $options -reference
            set ::cells($name) [dict get $options -reference]
            read_module $name
        }
        default {
            wrong "the type of a cell is ip, module or hier"
        }
    }
    return $name
}

# Reads pins and buses of a module from its Verilog, as the tool does.
proc read_module {cell} {
    foreach file $::sources {
        set text [read [open $file]]
        set start [string first "module $::cells($cell) (" $text]
        if {$start < 0} continue
        set ports [string range $text $start [string first ");" $text $start]]
        set ::pins($cell) {}
        set ::buses($cell) {}
        set bus ""
        foreach line [split $ports \n] {
            if {[regexp {XIL_INTERFACENAME (\S+), PROTOCOL (\S+), DATA_WIDTH (\d+),\
                    ADDR_WIDTH (\d+)(.*)"} $line -> bus protocol width address more]} {
                # The direction is on the next line.
                set burst 1
                regexp {MAX_BURST_LENGTH (\d+)} $more -> burst
                set ::reach($cell/$bus) $address
                set ::bursts($cell/$bus) $burst
            } elseif {[regexp {(in|out)put wire (?:\[\d+:0\] )?(\w+)} $line -> way name]} {
                lappend ::pins($cell) $name [expr {$way eq "in" ? "I" : "O"}] \
                    [expr {$name in {clk rst}}]
                if {$bus ne ""} {
                    lappend ::buses($cell) $bus [expr {$way eq "in" ? "slave" : "master"}] \
                        $protocol $width
                    set bus ""
                }
            }
        }
        return
    }
    wrong "no source has the module $::cells($cell)"
}

proc do_apply_bd_automation {options cell} {
    demand $options -rule -config
    one_of rule [dict get $options -rule] [dict keys $::automations]
    foreach name [dict keys [dict get $options -config]] {
        one_of "-config of [dict get $options -rule]" $name \
            [dict get $::automations [dict get $options -rule]]
    }
    one_of "cell of the rule" $::cells($cell) [lindex [split [dict get $options -rule] :] end]
    foreach {name value} $::preset($::cells($cell)) {
        set ::values($cell,$name) $value
    }
    lappend ::automated $cell
}

proc pins_of {cell} {
    return [expr {[info exists ::pins($cell)] ? $::pins($cell) : [core_pins $::cells($cell) $cell]}]
}

proc interfaces_of {cell} {
    return [expr {[info exists ::buses($cell)] ? $::buses($cell)
        : [core_interfaces $::cells($cell) $cell]}]
}

proc split_path {path} {
    set cell [lindex [split $path /] 0]
    if {![info exists ::cells($cell)]} {
        wrong "there is no cell $cell"
    }
    return [list $cell [join [lrange [split $path /] 1 end] /]]
}

proc do_get_bd_pins {options path} {
    lassign [split_path $path] cell name
    one_of "pin of $cell" $name [lmap {pin way needed} [pins_of $cell] {set pin}]
    return $path
}

proc do_get_bd_intf_pins {options path} {
    lassign [split_path $path] cell name
    one_of "interface of $cell" $name [lmap {pin mode protocol width} [interfaces_of $cell] {set pin}]
    return $path
}

proc direction {path} {
    lassign [split_path $path] cell name
    foreach {pin way needed} [pins_of $cell] {
        if {$pin eq $name} {
            return $way
        }
    }
}

# Kind of the signal at a pin: clock, reset (active high or low) or data.
proc signal_kind {path} {
    set name [string tolower [lindex [split $path /] end]]
    switch -regexp $name {
        {^(.*_)?a?clk$} - {_clk$} - {^pl_clk0$} - {^fclk_clk0$} {return clock}
        {resetn\d?$} - {reset0_n$} {return "reset, active low"}
        {^rst$} - {reset$} - {^mb_reset$} {return "reset, active high"}
        default {return "data signal"}
    }
}

proc do_connect_bd_net {options args} {
    set drivers [lmap pin $args {if {[direction $pin] ne "O"} continue; set pin}]
    if {[llength $drivers] != 1} {
        wrong "a net needs one driver, but $args have [llength $drivers]"
    }
    set kind [signal_kind $drivers]
    foreach pin $args {
        if {$pin ne $drivers && [info exists ::nets($pin)]} {
            wrong "$pin is driven already"
        }
        # The tool takes the polarity of the reset that comes in from what drives it.
        set fits [expr {[string match */ext_reset_in $pin] ? [string match reset* $kind]
            : [signal_kind $pin] eq $kind}]
        if {!$fits} {
            wrong "$pin is a [signal_kind $pin], but $drivers a $kind"
        }
        set ::nets($pin) $drivers
    }
}

proc interface {path} {
    lassign [split_path $path] cell name
    foreach {pin mode protocol width} [interfaces_of $cell] {
        if {$pin eq $name} {
            return [list $mode $protocol $width]
        }
    }
}

proc do_connect_bd_intf_net {options first second} {
    set modes [lsort [list [lindex [interface $first] 0] [lindex [interface $second] 0]]]
    if {$modes ne {master slave}} {
        wrong "$first and $second are not a master and a slave"
    }
    foreach {from to} [list $first $second $second $first] {
        if {[info exists ::links($from)]} {
            wrong "$from is connected already"
        }
        set ::links($from) $to
    }
}

# --- Addresses ---

proc do_get_bd_addr_spaces {options path} {
    lassign [split_path $path] cell name
    set spaces [lmap {pin mode protocol width} [interfaces_of $cell] {
        if {$mode ne "master"} continue
        set pin
    }]
    if {[string match *processing_system* $cell]} {
        lappend spaces Data
    }
    one_of "address space of $cell" $name $spaces
    return $path
}

proc do_get_bd_addr_segs {options path} {
    lassign [split_path $path] cell name
    set known [lmap {segment base bytes} [core_segments $::cells($cell)] {set segment}]
    foreach {pin mode protocol width} [interfaces_of $cell] {
        if {$mode eq "slave" && ![llength $known]} {
            lappend known $pin/reg0
        }
    }
    set found [lmap segment $known {
        if {![string match $name $segment]} continue
        string cat $cell/$segment
    }]
    if {![llength $found]} {
        wrong "$cell has no address segment $name; it has [join $known {, }]"
    }
    return $found
}

proc do_assign_bd_address {options segments} {
    demand $options -target_address_space -offset -range
    set space [dict get $options -target_address_space]
    if {[llength $segments] != 1} {
        wrong "an offset is for one segment, not for $segments"
    }
    set last [expr {[dict get $options -offset] + [dict get $options -range]}]
    lassign [split_path $segments] cell name
    foreach {segment base bytes} [core_segments $::cells($cell)] {
        if {$segment eq $name
            && ([dict get $options -offset] < $base || $last > $base + $bytes)} {
            wrong "the range of $segments is beyond what it has"
        }
    }
    if {[info exists ::reach($space)] && $last > 1 << $::reach($space)} {
        wrong "$space has $::reach($space) address bits and does not reach $last"
    }
    set ::assigned($space,$segments) [list [dict get $options -offset] [dict get $options -range]]
}

proc do_exclude_bd_addr_seg {options segments} {
    demand $options -target_address_space
    lappend ::excluded {*}[lmap segment $segments {
        string cat [dict get $options -target_address_space],$segment
    }]
}

# --- The tool's checks of a block design ---

proc do_regenerate_bd_layout {options} {}

proc do_save_bd_design {options args} {}

proc do_validate_bd_design {options} {
    foreach cell [array names ::cells] {
        foreach {pin way needed} [pins_of $cell] {
            if {$needed && ![info exists ::nets($cell/$pin)]} {
                wrong "the pin $cell/$pin is not connected"
            }
        }
        foreach {pin mode protocol width} [interfaces_of $cell] {
            if {![info exists ::links($cell/$pin)]} {
                wrong "the interface $cell/$pin is not connected"
            }
        }
        foreach {pin mode protocol width} [interfaces_of $cell] {
            if {$mode eq "master" && [info exists ::reach($cell/$pin)]} {
                check_path $cell/$pin $protocol $width
            }
        }
        if {[string match *processing_system* $cell] && $cell ni $::automated} {
            wrong "$cell has not the board's settings"
        }
    }
}

# Follows a memory port through slices and converters to the processing system.
proc check_path {master protocol width} {
    set space $master
    set slice 0
    while {1} {
        set other $::links($master)
        lassign [split_path $other] cell name
        lassign [interface $other] mode expected wide
        if {$expected ne "" && $expected ne $protocol} {
            wrong "$master has $protocol, but $other $expected"
        }
        if {$::cells($cell) ni {axi_register_slice axi_protocol_converter}} break
        set slice [expr {$slice || $::cells($cell) eq "axi_register_slice"}]
        set master $cell/M_AXI
        set next [lindex [interface $master] 1]
        set protocol [expr {$next eq "" ? $protocol : $next}]
    }
    if {$wide != $width} {
        wrong "$space has $width bits, but $other $wide"
    }
    if {$protocol eq "AXI3" && $::bursts($space) > 16} {
        wrong "bursts of $::bursts($space) beats do not fit AXI3"
    }
    if {!$slice} {
        wrong "$space has no register slice"
    }
    regexp {HP\d} $name port
    foreach segment [do_get_bd_addr_segs {} $cell/*/${port}_*] {
        if {![info exists ::assigned($space,$segment)] && "$space,$segment" ni $::excluded} {
            wrong "$segment is neither assigned to $space nor excluded"
        }
    }
}

# --- Runs ---

proc new_run {name parent strategy} {
    set ::states($name) [dict create PROGRESS 0% STATUS "Not started" PARENT $parent \
        STRATEGY $strategy FLOW "Vivado Implementation 2023"]
}

proc do_generate_target {options kind design} {
    one_of target $kind {all synthesis simulation instantiation_template}
    one_of design $design $::designs
    touch [file join $::project tercel.gen sources_1 bd system hw_handoff system.hwh]
    new_run synth_1 "" "Vivado Synthesis Defaults"
    new_run impl_1 synth_1 "Vivado Implementation Defaults"
}

proc do_make_wrapper {options args} {
    demand $options -files -top
    one_of design [dict get $options -files] $::designs
    set path [file join $::project system_wrapper.v]
    touch $path
    return $path
}

proc do_get_runs {options {name *}} {
    one_of run $name [array names ::states]
    return $name
}

set strategies {Performance_Explore Performance_ExplorePostRoutePhysOpt Performance_WLBlockPlacement
    Performance_WLBlockPlacementFanoutOpt Performance_EarlyBlockPlacement Performance_NetDelay_high
    Performance_NetDelay_low Performance_Retiming Performance_ExtraTimingOpt Performance_RefinePlacement
    Performance_SpreadSLLs Performance_BalanceSLLs Performance_ExploreWithRemap
    Congestion_SpreadLogic_high Congestion_SpreadLogic_medium Congestion_SpreadLogic_low
    Congestion_SSI_SpreadLogic_high Congestion_SSI_SpreadLogic_low Area_Explore Area_ExploreSequential
    Area_ExploreWithRemap Power_DefaultOpt Power_ExploreArea Flow_RunPhysOpt Flow_RunPostRoutePhysOpt
    Flow_RuntimeOptimized Flow_Quick}

proc do_create_run {options name} {
    demand $options -parent_run -flow -strategy
    one_of parent [dict get $options -parent_run] [array names ::states]
    one_of flow [dict get $options -flow] [list "Vivado Implementation 2023"]
    one_of strategy [dict get $options -strategy] $::strategies
    new_run $name [dict get $options -parent_run] [dict get $options -strategy]
}

proc do_launch_runs {options name} {
    one_of run $name [array names ::states]
    set parent [dict get $::states($name) PARENT]
    if {$parent ne "" && [dict get $::states($parent) PROGRESS] ne "100%"} {
        wrong "$parent must be done before $name"
    }
    if {[dict exists $options -to_step]} {
        one_of -to_step [dict get $options -to_step] {opt_design place_design phys_opt_design
            route_design post_route_phys_opt_design write_bitstream}
    }
    set bit [file join $::project tercel.runs $name system_wrapper.bit]
    if {[dict exists $options -to_step] && [dict get $options -to_step] eq "write_bitstream"} {
        touch $bit
    }
    set failed [expr {$name in $::scenario(failing)}]
    dict set ::states($name) PROGRESS [expr {$failed ? "40%" : "100%"}]
    dict set ::states($name) STATUS [expr {$failed ? "place_design ERROR" : "Complete!"}]
}

proc do_wait_on_run {options name} {
    one_of run $name [array names ::states]
}

proc do_open_run {options name} {
    if {$::open ne ""} {
        wrong "a design is open already"
    }
    one_of run $name [array names ::states]
    set ::open [dict get $::states($name) STRATEGY]
}

proc do_close_design {options} {
    in_design
    set ::open ""
}

proc do_write_cfgmem {options file} {
    demand $options -format -interface -loadbit
    one_of -format [dict get $options -format] {BIN MCS HEX}
    one_of -interface [dict get $options -interface] {SMAPx8 SMAPx16 SMAPx32 SERIALx1 SPIx1 SPIx2
        SPIx4 SPIx8 BPIx8 BPIx16}
    if {![regexp {^up 0x0 (.+)$} [dict get $options -loadbit] -> bit]} {
        wrong "-loadbit takes direction, address and file"
    }
    existing $bit
    touch $file
    touch [file rootname $file].prm
}
