"""The powers of two of the blocks of activations in the tables."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tercel.numerics.blocks import MOST_SHIFT
from tercel_hw.float32.stages import Stages
from tercel_hw.register_copies import RegisterCopies
from tercel_hw.tlmm.config import LOOKUP, TlmmConfig
from tercel_hw.tlmm.layouts import block_layout, powers_layout

__all__ = ["PowerBank"]


class PowerBank(wiring.Component):
    """``2^shift`` of every block and node, double-buffered as the tables are.

    The shifts of a bank arrive while row-chunks of its previous contents may still be on their way
    to the sums of their blocks; they are written `write_delay` cycles later, when no such row-chunk
    is left, and before the first row-chunk of the new contents comes.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    i : In
        Shifts of a block, and where they belong.
    bank : In
        Bank of the powers in the next cycle.
    o : Out
        Powers ``[block][node]``.
    """

    i: data.View
    bank: Signal
    o: data.View

    def __init__(self, *, config: TlmmConfig):
        self._config = config
        super().__init__(
            {"i": In(block_layout(config)), "bank": In(1), "o": Out(powers_layout(config))}
        )

    @property
    def write_delay(self) -> int:
        """Cycles from shifts to the writing of their powers.

        A bank's last row-chunk is in its last cycle before its new shifts may come.
        """
        return LOOKUP + self._config.block_latency - 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, stages, delay = self._config, Stages(m, Const(1)), self.write_delay
        valid = stages.delay(self.i.valid, delay, "valid", reset=True)
        late = stages.delay(self.i.as_value(), delay, "late")
        shifts = data.View(block_layout(config), late)
        powers = Cat(Const(1) << shifts.shifts[node] for node in range(config.nodes))
        size = (MOST_SHIFT + 1) * config.nodes
        m.submodules.banks = banks = RegisterCopies(width=1, copies=config.blocks)
        m.d.comb += banks.i.eq(self.bank)
        for block in range(config.blocks):
            kept = [Signal(size, name=f"powers_{block}_{bank}", reset_less=True) for bank in (0, 1)]
            for bank, register in enumerate(kept):
                with m.If(valid & (shifts.bank == bank) & (shifts.block == block)):
                    m.d.sync += register.eq(powers)
            chosen = Mux(banks.o[block], kept[1], kept[0])
            m.d.comb += self.o[block].as_value().eq(chosen)
        return m
