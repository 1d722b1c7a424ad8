# The clock for the logic: what its PLL can give.

# Largest part by which the clock may miss what was asked for.
set clock_tolerance 0.001

# Ends the build unless the processing system gives the clock that was asked for.
proc check_clock {asked achieved pll} {
    global tercel clock_tolerance
    if {abs($achieved - $asked) > $clock_tolerance * $asked} {
        set divisor [expr {int(ceil($pll / $asked))}]
        set near [list [format %.4f [expr {double($pll) / $divisor}]]]
        if {$divisor > 1} {
            lappend near [format %.4f [expr {double($pll) / ($divisor - 1)}]]
        }
        stop "$tercel(clock) would run at $achieved MHz, not at $asked: the nearest clocks of\
            $tercel(pll) at [format %.6g $pll] MHz are [join $near { and }]; set mhz in board.toml"
    }
    puts "tercel: $tercel(clock) runs at $achieved MHz, from $tercel(pll) at [format %.6g $pll] MHz"
}

# Returns the fastest clock of a PLL, in MHz, at which a design with this setup slack would pass.
proc passing_mhz {asked setup pll} {
    set limit [expr {1000.0 / (1000.0 / $asked - $setup)}]
    return [expr {$pll / ceil($pll / $limit)}]
}
