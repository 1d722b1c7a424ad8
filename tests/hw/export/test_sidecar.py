import dataclasses
import hashlib
import json

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.numerics import CacheView
from tercel.program import COMMANDS, AcceleratorSpec, DeviceMemory, StripedMemory, memory_map
from tercel_hw.export.configuration import parse_configuration
from tercel_hw.export.sidecar import CACHE, sidecar
from tercel_hw.registers import RegisterMap, accelerator_registers
from tercel_hw.target import Target
from tercel_hw.top.config import ACCELERATORS


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
    assert AcceleratorSpec.from_json(json.dumps(found["spec"])) == tiny.spec
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


@pytest.mark.parametrize("head_size", [32, 48, 64, 96, 112, 128])
def test_the_cache_lies_where_it_is_said_to(head_size):
    spec = ACCELERATORS["kv260"].spec
    config = dataclasses.replace(PRESETS["tiny"], head_size=head_size)
    where = memory_map(config=config, spec=spec, context=19)
    word_bytes, ports = where.layout.word_bytes, where.layout.ports
    memory = StripedMemory(
        np.zeros((ports, where.words * where.layout.port_bytes), np.uint8),
        port_bytes=where.layout.port_bytes,
    )
    draw, shape = np.random.default_rng(head_size), (config.kv_heads, where.context)
    keys, values = (draw.integers(-127, 128, (*shape, head_size), np.int8) for _ in range(2))
    scales = [draw.integers(0, 1 << 16, shape, np.uint16) for _ in range(2)]
    view = CacheView(keys=keys, values=values, key_scales=scales[0], value_scales=scales[1])
    DeviceMemory(memory, where).write_cache(1, view)
    content = memory.read(0, where.words).reshape(-1)
    slices = where.slices
    fields = {
        "cache": where.block(1),
        "head_stride": where.head_stride,
        "row_words": where.cache_row_words,
        "slice_words": where.context,
        "half_at": slices.full * where.context,
    }
    assert set(fields) < set(COMMANDS["heads"].fields)

    def place(name, **numbers):
        return eval(CACHE[name], fields | numbers)

    for head, position in np.ndindex(*shape):
        for rows, name in ((keys, "keys"), (values, "values")):
            row, first = rows[head, position].view(np.uint8), place(name, head=head)
            for start in range(0, head_size, word_bytes):
                part = row[start : start + word_bytes]
                numbers = {"slice": start // word_bytes, "position": position}
                if start // word_bytes < slices.full:
                    byte = (first + place("full_slice", **numbers)) * word_bytes
                else:
                    byte = (first + place("half_slice", **numbers)) * word_bytes
                    byte += position % 2 * word_bytes // 2
                assert np.array_equal(content[byte : byte + len(part)], part)
        byte = place("scales", head=head) * word_bytes + 4 * position
        pair = content[byte : byte + 4].view("<u2")
        assert list(pair) == [scale[head, position] for scale in scales]
