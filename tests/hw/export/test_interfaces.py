from tercel_hw.memory import flat_ports
from tercel_hw.top.accelerator import accelerator_signature


def test_every_port_is_in_one_interface(tiny, interfaces):
    described = [port for bus in interfaces.values() for port in bus["ports"].items()]
    assert len(described) == len(dict(described))
    expected = {
        name: {"direction": direction.name.removesuffix("put").lower(), "width": len(signal)}
        for name, (signal, direction) in flat_ports(accelerator_signature(tiny).create()).items()
    }
    one = {"direction": "in", "width": 1}
    assert dict(described) == expected | {"clk": one, "rst": one}


def test_buses_tell_their_widths(interfaces):
    control, memory = interfaces["s_axi_control"], interfaces["m_axi_mem1"]
    assert (control["protocol"], control["role"]) == ("AXI4-Lite", "subordinate")
    assert (control["data_width"], control["address_width"]) == (32, 8)
    assert (memory["protocol"], memory["role"]) == ("AXI4", "manager")
    assert (memory["data_width"], memory["address_width"], memory["id_width"]) == (64, 32, 1)
    assert "m_axi_mem2" not in interfaces
    assert interfaces["irq"]["ports"]["irq"] == {"direction": "out", "width": 1}
