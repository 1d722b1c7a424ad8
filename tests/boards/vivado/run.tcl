# tclsh run.tcl SCENARIO SCRIPT RECORD: runs a script of the vendor's tool on stand-ins for its commands.

lassign $argv scenario_file script record
set here [file dirname [file normalize [info script]]]
source $scenario_file
foreach part {model cores commands} {
    source [file join $here $part.tcl]
}

rename exit leave
proc exit {{code 0}} {
    set file [open $::record w]
    foreach call $::calls {
        puts $file [string map {\n { }} $call]
    }
    close $file
    leave $code
}

set argv {}
if {[catch {source $script} message]} {
    puts stderr $message
    exit 3
}
exit 0
