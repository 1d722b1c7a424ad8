import hashlib
import json

from tercel.program import COMMANDS, Machine
from tercel_hw.export.configuration import parse_configuration
from tercel_hw.export.sidecar import sidecar
from tercel_hw.registers import RegisterMap, accelerator_registers
from tercel_hw.target import Target


def test_the_driver_finds_what_it_needs(tiny, interfaces):
    registers = accelerator_registers(tiny.control)
    found = sidecar(
        tiny,
        module="tercel",
        target=Target.ULTRASCALE_PLUS,
        verilog="module tercel;\n",
        interfaces=interfaces,
        registers=registers,
        resources=None,
    )
    found = json.loads(json.dumps(found))
    assert parse_configuration(found["parameters"]) == tiny
    assert Machine.from_json(json.dumps(found["machine"])) == tiny.machine
    assert RegisterMap.from_json(json.dumps(found["registers"])) == registers
    assert found["sha256"] == hashlib.sha256(b"module tercel;\n").hexdigest()
    assert found["target"] == "ultrascale+"
    assert found["latencies"]["engine_sum"] == tiny.tlmm.latency
    assert found["resources"] is None
    assert set(found["tools"]) == {"tercel", "amaranth", "yosys"}


def test_commands_lie_where_the_program_has_them(tiny, interfaces):
    registers = accelerator_registers(tiny.control)
    memory = sidecar(
        tiny,
        module="tercel",
        target=Target.ULTRASCALE_PLUS,
        verilog="",
        interfaces=interfaces,
        registers=registers,
        resources=None,
    )["memory"]
    for name, command in COMMANDS.items():
        values = {field: (1 << width) - 1 for field, width in command.fields.items()}
        for field in command.fields:
            encoded = command.encode(**dict.fromkeys(values, 0) | {field: values[field]})
            place = memory["commands"][name]["fields"][field]
            number = int.from_bytes(encoded, "little")
            mask = ((1 << place["width"]) - 1) << place["bit"]
            assert number == memory["commands"][name]["number"] | mask
