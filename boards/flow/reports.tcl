# Figures of the open design, read from the tool's reports, and their JSON.

# Rows of the utilisation report that count a resource, by the names of board.toml.
set rows {
    lut {{CLB LUTs} {Slice LUTs}}
    lut_memory {{LUT as Memory}}
    ff {{CLB Registers} {Slice Registers}}
    clb {{CLB} {Slice}}
    dsp {{DSPs}}
    bram36 {{Block RAM Tile}}
    uram {{URAM}}
}

# Returns a dictionary from resource to used and available. Not all devices have UltraRAM, and only
# placed designs occupy logic blocks (clb).
proc utilisation {} {
    global rows
    set text [report_utilization -return_string]
    set found [dict create]
    foreach {resource labels} $rows {
        foreach label $labels {
            set row "^\\|\\s*$label\\*?\\s*\\|(.*)\\|\\s*\$"
            if {[regexp -line $row $text -> cells]} {
                set cells [lmap cell [split $cells |] {string trim $cell}]
                # The last two columns are what there is, and the percentage.
                dict set found $resource [list [lindex $cells 0] [lindex $cells end-1]]
            }
        }
    }
    foreach resource {lut lut_memory ff dsp bram36} {
        if {![dict exists $found $resource]} {
            stop "the utilisation report has no row of $resource: its format is unknown"
        }
    }
    return $found
}

# Returns a dictionary of the worst slacks and their sums in ns: setup, hold and pulse width.
proc timing {} {
    set text [report_timing_summary -return_string]
    set lines [split $text \n]
    set head [lsearch -regexp $lines {^\s*WNS\(ns\)}]
    set cells [regexp -all -inline {\S+} [lindex $lines [expr {$head + 2}]]]
    if {$head < 0 || [llength $cells] != 12} {
        stop "the timing report has no summary of twelve figures: its format is unknown"
    }
    foreach {name place} {setup 0 setup_total 1 hold 4 hold_total 5 pulse 8 pulse_total 9} {
        set value [lindex $cells $place]
        if {![string is double -strict $value] || abs($value) > 1e6} {
            stop "the timing report has no figure for $name, but $value: the clock is not constrained"
        }
        dict set found $name $value
    }
    if {[regexp {checking no_clock \((\d+)\)} $text -> unclocked] && $unclocked > 0} {
        stop "$unclocked registers have no clock: the timing report does not cover them"
    }
    return $found
}

# Returns true if all slacks are met.
proc met {timing} {
    foreach name {setup hold pulse} {
        if {[dict get $timing $name] < 0} {
            return 0
        }
    }
    return 1
}

# Returns a JSON string.
proc quoted {text} {
    return "\"[string map {\\ \\\\ \" \\\" \n \\n} $text]\""
}

# Returns a JSON object of names and JSON values.
proc object {pairs} {
    set members {}
    foreach {name value} $pairs {
        lappend members "[quoted $name]: $value"
    }
    return "{[join $members {, }]}"
}

# Returns the JSON of a utilisation.
proc utilisation_json {used} {
    set members {}
    dict for {resource counts} $used {
        lassign $counts taken available
        lappend members $resource [object [list used $taken available $available]]
    }
    return [object $members]
}

# Writes a text to a file.
proc write_text {path text} {
    set file [open $path w]
    puts $file $text
    close $file
}
