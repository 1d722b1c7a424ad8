"""The driver's table of registers is the map's."""

import dataclasses

import pytest

from tercel.device.registers import IDENTITY, MAJOR, REGISTERS, error_names
from tercel.image import LAYOUTS
from tercel_hw.registers import ControlConfig, accelerator_registers

PORTS = (1, 2, 4, 8)


@pytest.fixture(params=PORTS)
def config(request):
    layout = dataclasses.replace(LAYOUTS["kv260"], ports=request.param)
    writes = tuple(f"write{port}" for port in range(request.param))
    return ControlConfig(layout=layout, streams=writes)


def test_offsets_and_fields_are_those_of_the_map(config):
    assert REGISTERS.items() <= accelerator_registers(config).constants().items()


def test_errors_have_the_names_of_the_map(config):
    assert error_names(config.layout.ports) == config.errors


def test_the_identity_is_the_maps(config):
    registers = accelerator_registers(config)
    assert registers["id"].constant == IDENTITY
    assert config.version[0] == MAJOR
