"""Delays of UltraScale+ cells and nets, in picoseconds.

They describe a speed grade -2LV at 0.72 V, as the XCK26 of the KV260. Evidence class of every
figure: estimate. A figure's source is one of

- *record*: a routed XCK26-2LV design (github.com/MerlijnW70/bitnet-kv260, its own record of paths);
- *scaled*: public reports of Vivado 2021.2 on an xczu3eg-1 at 0.85 V
  (github.com/gussmith23/lakeroad-evaluation), times 1.25 for 0.72 V: 1.21 ns of an unregistered
  block RAM in the record against 0.9 to 1.0 ns there;
- *assumed*: no public figure was found; of the size of the others.
"""

from dataclasses import dataclass
from math import sqrt

__all__ = ["DELAYS", "Delays"]


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Delays of one speed grade, in picoseconds."""

    register: int = 120
    """Clock to output of a flip-flop (scaled: 97)."""
    register_setup: int = 30
    """Setup of its D (scaled: 25)."""
    control_setup: int = 90
    """Setup of its clock enable, set and reset (scaled: 60 to 74)."""
    lut: int = 150
    """Through a lookup table, mean of its inputs (scaled: 40 to 180)."""
    mux: int = 100
    """Through MUXF7 to MUXF9 (assumed)."""
    carry_in_out: int = 40
    """CARRY4: CI to CO, half of a CARRY8 (scaled)."""
    carry_in_sum: int = 180
    """CI to O (scaled: 146)."""
    carry: int = 300
    """S or DI to CO or O (scaled: 240)."""
    lut_memory: int = 750
    """Clock to output of a memory or shift register of lookup tables (assumed)."""
    lut_memory_setup: int = 200
    """Setup of its inputs (assumed)."""
    block_ram: int = 1210
    """Clock to output of a block RAM without output register (record)."""
    block_ram_registered: int = 420
    """The same with output register (assumed)."""
    ultra_ram: int = 1710
    """Clock to output of an UltraRAM without output register (record: 1610 to 1710)."""
    ultra_ram_registered: int = 450
    """The same with output register (assumed)."""
    memory_setup: int = 400
    """Setup of the inputs of block RAM and UltraRAM (assumed)."""
    dsp_output: int = 300
    """DSP48E2: clock to P with its register (scaled: output stage 141 to 160)."""
    dsp_adder: int = 1050
    """Through adder and output stage: 698 + 141 (scaled)."""
    dsp_multiplier: int = 1250
    """Through input stage and multiplier (scaled)."""
    dsp_setup: int = 300
    """Setup of a registered input (assumed)."""
    port_output: int = 1200
    """Clock to output of a port of the processing system (assumed)."""
    port_setup: int = 800
    """Setup of its inputs (assumed)."""
    local_net: int = 60
    """From a lookup table to the flip-flop beside it (scaled: 20 to 60)."""
    carry_net: int = 20
    """From a lookup table to its carry bit (scaled: 10)."""
    net: int = 200
    """Part of any other net that does not depend on its loads (scaled)."""
    net_root: int = 30
    """Part of a net that grows with the root of its loads: they lie in an area (scaled: nets with
    1, 19, 73, 96 loads take 60 to 460, 267, 272, 504)."""

    def routed(self, loads: int) -> int:
        """Return the delay of a net that leaves its slice."""
        return round(self.net + self.net_root * sqrt(loads))


DELAYS = Delays()
