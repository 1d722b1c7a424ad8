# Stand-ins for the vendor's commands: each knows the arguments and options of the real one and refuses
# others, is recorded, and then does what model.tcl defines for it.
#
# Sources: what is known of the command reference UG835, and commands and parameters in public scripts.
# Nobody has compared the lists with a Vivado.
#
# command NAME ARGUMENTS OPTIONS: ARGUMENTS are the fewest and the most; an option that ends with = has
# a value.

set calls {}

proc command {name counts options} {
    lappend options -quiet -verbose
    proc $name args [format {
        lappend ::calls [list %1$s {*}$args]
        lassign [parsed %1$s {%2$s} {%3$s} $args] options values
        return [do_%1$s $options {*}$values]
    } $name $counts $options]
}

# Returns options as a dictionary, and the arguments that are none.
proc parsed {name counts options arguments} {
    set found [dict create]
    set values {}
    while {[llength $arguments]} {
        set arguments [lassign $arguments word]
        if {[string match {-[a-z]*} $word]} {
            if {"$word=" in $options} {
                if {![llength $arguments]} {
                    error "$name: the option $word needs a value"
                }
                set arguments [lassign $arguments value]
                dict set found $word $value
            } elseif {$word in $options} {
                dict set found $word 1
            } else {
                error "$name: there is no option $word"
            }
        } else {
            lappend values $word
        }
    }
    lassign $counts fewest most
    if {[llength $values] < $fewest || [llength $values] > $most} {
        error "$name: takes $fewest to $most arguments, not [llength $values]: $values"
    }
    return [list $found $values]
}

# Whatever is not defined is no command of the vendor's.
proc unknown {name args} {
    error "no such command: $name"
}

command version {0 0} {-short}
command create_project {0 2} {-part= -force -in_memory -ip -rtl_kernel}
command close_project {0 0} {-delete}
command current_project {0 1} {}
command get_board_parts {0 1} {-regexp -nocase -latest_file_version -latest_hw_revision -filter=}
command add_files {1 1} {-fileset= -of_objects= -norecurse -copy_to= -scan_for_includes}
command update_compile_order {0 0} {-fileset= -force_gui}
command current_fileset {0 1} {-constrset -simset -srcset -blockset}
command get_files {0 1} {-regexp -nocase -filter= -compile_order= -used_in= -of_objects= -all}
command read_verilog {1 1} {-library= -sv}
command read_xdc {1 1} {-cells= -ref= -mode= -unmanaged -no_add}
command synth_design {0 0} {-name= -part= -constrset= -top= -include_dirs= -generic= -verilog_define=
    -flatten_hierarchy= -gated_clock_conversion= -directive= -rtl -bufg= -no_lc -shreg_min_size= -mode=
    -fsm_extraction= -keep_equivalent_registers -resource_sharing= -cascade_dsp=
    -control_set_opt_threshold= -max_bram= -max_uram= -max_dsp= -max_bram_cascade_height=
    -max_uram_cascade_height= -retiming -no_srlextract -assert -no_timing_driven -sfcu}
command write_checkpoint {1 1} {-force -cell= -logic_function_stripped -encrypt -incremental_synth}
command report_utilization {0 0} {-file= -append -pblocks= -evaluate_pblock -exclude_child_pblocks
    -cells= -return_string -slr -packthru -name= -no_primitives -omit_locs -hierarchical
    -spreadsheet_file= -spreadsheet_table= -spreadsheet_depth= -hierarchical_depth=
    -hierarchical_percentages}
command report_timing_summary {0 0} {-check_timing_verbose -delay_type= -no_detailed_paths -setup -hold
    -max_paths= -nworst= -unique_pins -path_type= -input_pins -slack_lesser_than=
    -report_unconstrained -significant_digits= -no_header -file= -append -name= -return_string
    -warn_on_violation -datasheet -cells= -rpx=}
command report_power {0 0} {-no_propagation -hier= -hierarchical_depth= -vid -advisory -file= -name=
    -format= -xpe= -return_string -append -rpx=}
command set_property {0 3} {-name= -value= -objects= -dict=}
command get_property {2 2} {-min -max}
command create_bd_design {1 1} {-dir= -cell=}
command create_bd_cell {1 1} {-vlnv= -type= -reference=}
command apply_bd_automation {1 1} {-rule= -config= -dict=}
command get_bd_pins {0 1} {-regexp -hierarchical -filter= -of_objects=}
command get_bd_intf_pins {0 1} {-regexp -hierarchical -filter= -of_objects=}
command connect_bd_net {2 99} {-net=}
command connect_bd_intf_net {2 2} {-intf_net= -boundary_type=}
command get_bd_addr_spaces {0 1} {-regexp -hierarchical -filter= -of_objects=}
command get_bd_addr_segs {0 1} {-regexp -hierarchical -filter= -excluded -addressed -unaddressed
    -of_objects=}
command assign_bd_address {0 1} {-target_address_space= -boundary -master_boundary= -range= -offset=
    -external -dict= -force -import_from_file= -export_to_file=}
command exclude_bd_addr_seg {1 1} {-target_address_space= -offset= -range=}
command regenerate_bd_layout {0 0} {-hierarchy= -layout_file= -layout_string= -routing}
command validate_bd_design {0 0} {-force -design=}
command save_bd_design {0 1} {-as=}
command generate_target {2 2} {-force}
command make_wrapper {0 1} {-files= -top -testbench -inst_template -fileset= -import -force}
command get_runs {0 1} {-regexp -nocase -filter= -of_objects=}
command create_run {1 1} {-constrset= -parent_run= -part= -flow= -strategy= -report_strategy=
    -pr_config= -dfx_mode=}
command launch_runs {1 1} {-jobs= -scripts_only -lsf= -sge= -cluster_configuration= -dir= -to_step=
    -next_step -host= -remote_cmd= -email_to= -email_all -pre_launch_script= -post_launch_script=
    -custom_script= -force}
command wait_on_run {1 1} {-timeout=}
command open_run {1 1} {-name= -pr_config=}
command close_design {0 0} {}
command get_msg_config {0 0} {-id= -string= -severity= -rules -limit -count}
command write_cfgmem {1 1} {-force -format= -size= -interface= -checksum= -disablebitswap -loadbit=
    -loaddata=}
