"""The files of an overlay whose bitstream is the simulated accelerator."""

import json
from pathlib import Path
from xml.sax.saxutils import quoteattr

from tercel_hw.export.interfaces import describe_interfaces
from tercel_hw.export.sidecar import sidecar
from tercel_hw.registers import RegisterMap, accelerator_registers
from tercel_hw.target import Target
from tercel_hw.top.config import AcceleratorConfig
from tercel_sim.simulated_machine import CONTROL_BASE

__all__ = ["write_overlay"]

CONTROL_BYTES = 0x1000
PL_CLOCKS = 4


def write_overlay(
    folder: Path, config: AcceleratorConfig, *, clock_mhz: float, name: str = "tercel"
) -> Path:
    """Write ``.bit`` (empty), ``.hwh`` and ``.json`` for a ``SimulatedPynqDevice``.

    Parameters
    ----------
    clock_mhz
        The clock for which the overlay claims to be built.

    Returns
    -------
    The bitstream's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    registers = accelerator_registers(config.control)
    facts = sidecar(
        config,
        module="tercel",
        target=Target.PORTABLE,
        verilog="",
        interfaces=describe_interfaces(config),
        registers=registers,
        resources=None,
    )
    facts["board"] = {
        "name": "simulated",
        "clock": {"name": "pl_clk0", "index": 0, "mhz": clock_mhz},
        "registers": {"base": CONTROL_BASE, "bytes": CONTROL_BYTES, "instance": "accelerator"},
    }
    (folder / f"{name}.json").write_text(json.dumps(facts))
    (folder / f"{name}.hwh").write_text(_hardware_description(registers, clock_mhz))
    bitstream = folder / f"{name}.bit"
    bitstream.write_bytes(b"")
    return bitstream


def _hardware_description(registers: RegisterMap, clock_mhz: float) -> str:
    """Description as the vendor's tool writes it, as far as pynq reads it."""
    clocks = "".join(
        _parameters(
            {
                f"PSU__FPGA_PL{index}_ENABLE": int(index == 0),
                f"PSU__CRL_APB__PL{index}_REF_CTRL__DIVISOR0": 6,
                f"PSU__CRL_APB__PL{index}_REF_CTRL__DIVISOR1": 1,
                f"PSU__CRL_APB__PL{index}_REF_CTRL__SRCSEL": "IOPLL",
                f"PSU__CRL_APB__PL{index}_REF_CTRL__ACT_FREQMHZ": clock_mhz,
            }
        )
        for index in range(PL_CLOCKS)
    )
    described = "".join(
        f'<REGISTER NAME="{register.name}">'
        + _properties(DESCRIPTION=register.description, ADDRESS_OFFSET=register.offset)
        + _properties(SIZE=register.width, ACCESS="read-write", IS_ENABLED="true")
        + "<FIELDS/></REGISTER>"
        for register in registers.registers
    )
    last = CONTROL_BASE + CONTROL_BYTES - 1
    bus = 'VLNV="xilinx.com:interface:aximm:1.0"'
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<EDKSYSTEM EDWVERSION="1.2">
<SYSTEMINFO ARCH="zynquplus" DEVICE="xck26" NAME="system" PACKAGE="sfvc784" SPEEDGRADE="-2LV"/>
<EXTERNALPORTS/><EXTERNALINTERFACES/>
<MODULES>
<MODULE FULLNAME="/accelerator" INSTANCE="accelerator" IPTYPE="PERIPHERAL" IS_PL="TRUE"
 MODCLASS="PERIPHERAL" MODTYPE="tercel_top" VLNV="xilinx.com:module_ref:tercel_top:1.0"
 HWVERSION="1.0">
<ADDRESSBLOCKS><ADDRESSBLOCK ACCESS="" INTERFACE="s_axi_control" NAME="reg0"
 RANGE="{CONTROL_BYTES}" USAGE="register"><REGISTERS>{described}</REGISTERS></ADDRESSBLOCK>
</ADDRESSBLOCKS>
<PARAMETERS/><PORTS/>
<BUSINTERFACES><BUSINTERFACE NAME="s_axi_control" TYPE="SLAVE" {bus}>
<PARAMETER NAME="PROTOCOL" VALUE="AXI4LITE"/><PORTMAPS/></BUSINTERFACE></BUSINTERFACES>
</MODULE>
<MODULE FULLNAME="/processing_system" INSTANCE="processing_system" IPTYPE="PERIPHERAL"
 MODCLASS="PROCESSOR" MODTYPE="zynq_ultra_ps_e" VLNV="xilinx.com:ip:zynq_ultra_ps_e:3.5"
 HWVERSION="3.5">
<PARAMETERS>{clocks}</PARAMETERS><PORTS/>
<BUSINTERFACES><BUSINTERFACE NAME="M_AXI_HPM0_FPD" TYPE="MASTER" {bus}><PORTMAPS/></BUSINTERFACE>
</BUSINTERFACES>
<MEMORYMAP><MEMRANGE ADDRESSBLOCK="reg0" BASENAME="C_BASEADDR" BASEVALUE="{CONTROL_BASE:#010x}"
 HIGHNAME="C_HIGHADDR" HIGHVALUE="{last:#010x}" INSTANCE="accelerator" IS_DATA="TRUE"
 IS_INSTRUCTION="TRUE" MASTERBUSINTERFACE="M_AXI_HPM0_FPD" MEMTYPE="REGISTER"
 SLAVEBUSINTERFACE="s_axi_control"/></MEMORYMAP>
</MODULE>
</MODULES></EDKSYSTEM>
"""


def _parameters(values: dict[str, object]) -> str:
    return "".join(
        f'<PARAMETER NAME="{name}" VALUE={quoteattr(str(value))}/>'
        for name, value in values.items()
    )


def _properties(**values: object) -> str:
    return "".join(
        f'<PROPERTY NAME="{name}" VALUE={quoteattr(str(value))}/>' for name, value in values.items()
    )
