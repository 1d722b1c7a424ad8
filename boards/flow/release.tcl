# The release of the tool, and the end of a build.

# Ends the build; the message is its last line.
proc stop {message} {
    puts "ERROR: $message"
    exit 1
}

# Returns the release; ends the build if it is too old, warns if nobody has tried it.
proc check_release {release oldest tested} {
    if {[package vcompare [regsub {[^0-9.].*$} $release ""] $oldest] < 0} {
        stop "Vivado must be $oldest or newer, not $release"
    }
    if {$release ni $tested} {
        puts "tercel: Vivado $release is not among the tested releases: {$tested}"
    }
    return $release
}
