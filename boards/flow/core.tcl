# The accelerator alone, out of context: whether it fits is known before the long steps.

# Synthesises the accelerator; ends the build if the device has too little of anything.
proc synthesise_core {} {
    global tercel here reports
    puts "tercel: synthesis of the accelerator alone"
    create_project -in_memory -part $tercel(part)
    set constraints [file join $reports core.xdc]
    write_text $constraints \
        "create_clock -name clk -period [expr {1000.0 / $tercel(clock_mhz)}] \[get_ports clk\]"
    read_verilog [file join $here $tercel(verilog)]
    read_xdc -mode out_of_context $constraints
    synth_design -mode out_of_context -top $tercel(core) -part $tercel(part)
    report_utilization -hierarchical -hierarchical_depth 3 \
        -file [file join $reports core_utilisation.txt]
    write_checkpoint -force [file join $reports core.dcp]
    set used [utilisation]
    set slack [dict get [timing] setup]
    write_text [file join $reports core.json] [object [list \
        utilisation [utilisation_json $used] setup_estimate $slack]]
    close_project
    dict for {resource counts} $used {
        lassign $counts taken available
        if {$taken > $available} {
            stop "the accelerator does not fit: $taken $resource of $available; see\
                [file join $reports core_utilisation.txt]"
        }
    }
    puts "tercel: it fits; setup slack before placement: $slack ns at $tercel(clock_mhz) MHz"
}
