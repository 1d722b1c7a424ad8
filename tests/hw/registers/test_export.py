import re
import shutil
import subprocess

import pytest

from tercel_hw.registers import (
    ControlConfig,
    accelerator_registers,
    c_header,
    markdown,
    python_module,
)


def test_the_python_module_has_the_constants(small_map):
    module = {}
    exec(compile(python_module(small_map), "registers", "exec"), module)
    assert {name: module[name] for name in small_map.constants()} == small_map.constants()
    assert module["__doc__"].startswith("Registers of small")


def test_the_c_header_has_the_same_numbers(small_map):
    defined = dict(re.findall(r"#define SMALL_(\w+) (0x[0-9a-f]+|\d+)u", c_header(small_map)))
    numbers = {name: int(value, 0) for name, value in defined.items()}
    assert numbers == small_map.constants() | {"REGISTERS_SIZE": small_map.size}


def test_the_c_header_compiles(tmp_path):
    if not (compiler := shutil.which("cc")):
        pytest.skip("no C compiler (cc) on the path")
    header = tmp_path / "registers.h"
    header.write_text(c_header(accelerator_registers(ControlConfig())))
    source = tmp_path / "main.c"
    source.write_text(
        '#include "registers.h"\n_Static_assert(TERCEL_STATUS_DONE_MASK == 2u, "done");\n'
        '_Static_assert(TERCEL_TAPE_BASE0_ADDRESS_MASK == 0xffffffffffull, "address");\n'
    )
    subprocess.run([compiler, "-Wall", "-Werror", "-c", source, "-o", tmp_path / "o"], check=True)


def test_the_table_names_everything(small_map):
    table = markdown(small_map)
    assert "| `0x08` | `kept` | rw | 31:0 | Kept. After reset `0x2005`. |" in table
    assert "| | `.high` | | 14:12 | High bits. |" in table
    assert "| `0x00` | `id` | ro | 31:0 | Who. Always `0xabcd`. |" in table
    assert "| `0x18` | `count` | ro | 63:0 | Long. |" in table
