# Synthesis and implementation of the block design: strategies in order until the timing is met.

set jobs 4

# Runs a run, or a run up to a step; ends the build if it fails.
proc finish {run args} {
    global jobs
    launch_runs $run {*}$args -jobs $jobs
    wait_on_run $run
    if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
        stop "$run ended with [get_property STATUS [get_runs $run]]; see its log in\
            [get_property DIRECTORY [get_runs $run]]"
    }
}

# Returns the run whose timing is met; without one, reports the lower clock and ends the build.
proc implement {} {
    global tercel reports
    set design [get_files system.bd]
    # Every cell is synthesised on its own, the accelerator too.
    set_property synth_checkpoint_mode Hierarchical $design
    generate_target all $design
    add_files -norecurse [make_wrapper -files $design -top]
    set_property top system_wrapper [current_fileset]
    update_compile_order -fileset sources_1
    puts "tercel: synthesis"
    finish synth_1

    set kind [get_property FLOW [get_runs impl_1]]
    set tries {}
    foreach strategy $tercel(strategies) {
        puts "tercel: implementation with $strategy"
        set run impl_$strategy
        create_run $run -parent_run synth_1 -flow $kind -strategy $strategy
        finish $run
        open_run $run
        set slacks [timing]
        lappend tries [list $strategy $slacks]
        puts "tercel: worst slacks in ns: setup [dict get $slacks setup], hold\
            [dict get $slacks hold], pulse width [dict get $slacks pulse]"
        write_reports $strategy
        set used [utilisation]
        if {[met $slacks]} {
            write_build $tries $used
            close_design
            finish $run -to_step write_bitstream
            return $run
        }
        close_design
    }
    write_build $tries $used
    stop "timing is not met at $tercel(clock_mhz) MHz with any of the strategies:\
        [join [lmap try $tries {verdict {*}$try}] {; }]; reports are in $reports"
}

# Returns the worst slacks of a failed try in words, and the clock at which it would have passed.
proc verdict {strategy slacks} {
    global tercel
    if {[dict get $slacks hold] < 0 || [dict get $slacks pulse] < 0} {
        return "$strategy misses hold by [dict get $slacks hold] ns or pulse width by\
            [dict get $slacks pulse] ns, which no lower clock mends"
    }
    set lower [passing_mhz $tercel(clock_mhz) [dict get $slacks setup] $tercel(pll_mhz)]
    return "$strategy misses setup by [dict get $slacks setup] ns and would pass at\
        [format %.3f $lower] MHz"
}

# Writes the tool's own reports of the open design.
proc write_reports {strategy} {
    global reports
    report_timing_summary -max_paths 20 -file [file join $reports timing_$strategy.txt]
    report_utilization -hierarchical -hierarchical_depth 5 \
        -file [file join $reports utilisation_$strategy.txt]
    report_power -file [file join $reports power_$strategy.txt]
}

# Writes the record of the build that `tercel bitstream-report` reads.
proc write_build {tries used} {
    global tercel release reports
    set records {}
    foreach try $tries {
        lassign $try strategy slacks
        lappend records [object [list strategy [quoted $strategy] {*}$slacks]]
    }
    set slacks [lindex $tries end 1]
    set lower [passing_mhz $tercel(clock_mhz) [dict get $slacks setup] $tercel(pll_mhz)]
    set critical [get_msg_config -severity {CRITICAL WARNING} -count]
    puts "tercel: $critical critical warnings"
    write_text [file join $reports $tercel(stem)_build.json] [object [list \
        format [quoted "tercel build"] \
        version 1 \
        board [quoted $tercel(board)] \
        part [quoted $tercel(part)] \
        vivado [quoted $release] \
        verilog_sha256 [quoted $tercel(sha256)] \
        clock_mhz $tercel(clock_mhz) \
        achieved_mhz $tercel(achieved_mhz) \
        pll [quoted $tercel(pll)] \
        pll_mhz $tercel(pll_mhz) \
        met [expr {[met $slacks] ? "true" : "false"}] \
        passing_mhz [format %.3f $lower] \
        critical_warnings $critical \
        tries "\[[join $records {, }]\]" \
        utilisation [utilisation_json $used]]]
}
