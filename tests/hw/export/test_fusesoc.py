from tercel_hw.export.fusesoc import core_file

NAMES = {"module": "tercel", "verilog": "a.v", "lint": "a.vlt"}


def test_models_of_primitives_are_in_the_target_lint_alone():
    text = core_file(**NAMES, primitives="a_primitives.v")
    filesets, targets = text.split("\ntargets:\n")
    default, lint = targets.split("\n  lint:\n")
    assert filesets.count("- a_primitives.v\n    file_type: verilogSource-2005\n") == 1
    assert "filesets: [rtl]\n" in default
    assert "filesets: [lint, rtl, primitives]\n" in lint


def test_without_primitives_there_is_no_such_fileset():
    text = core_file(**NAMES, primitives=None)
    assert "primitives" not in text
    assert "filesets: [lint, rtl]\n" in text
    assert text.count("file_type: verilogSource-2005\n  lint:") == 1
