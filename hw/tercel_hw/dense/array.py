"""The array of all multiplier chains, with their delays."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring

from tercel_hw.dense.chain import Chain, cell_control
from tercel_hw.dense.config import DenseConfig
from tercel_hw.float32.stages import Stages

__all__ = ["CellArray", "array_latency"]

ENTRY = 2
"""Cycles from a beat to the first cell of a chain."""


def array_latency(config: DenseConfig) -> int:
    """Return the cycles from a beat to the sums of its products: 21 with chains of 16."""
    return ENTRY + config.chain - 1 + Chain.LATENCY


class CellArray(wiring.Component):
    """Multiplies a beat a cycle by the vectors (dot), or by weights, accumulating (axpy).

    Dot: ``o`` has the sums of a beat's products `array_latency` cycles later, for each lane and
    chain. Axpy: each cell accumulates its own products, from the beat marked ``first`` to the beat
    marked ``last``. From `array_latency` cycles after the latter, ``o`` shows the sums of cell
    ``chain - 1``, then of the previous cell, down to cell 0, one a cycle. The next beat may come
    ``chain`` cycles after the last.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    valid, axpy : In(1)
        A beat is offered; it belongs to an axpy.
    first, last : In(1)
        Axpy: the first and the last beat to accumulate.
    load : In(1)
        Dot: a new vector is used from this beat on.
    beat : In(config.beat)
    weights : In(config.weights)
    vector : In(ArrayLayout(ArrayLayout(signed(8), nodes), chains))
        The new vector's bytes for cell j, ``j + 2`` cycles after `load`.
    o : Out(config.chain_totals)
    """

    valid: Signal
    axpy: Signal
    first: Signal
    last: Signal
    load: Signal
    beat: data.View
    weights: data.View
    vector: data.View
    o: data.View

    def __init__(self, config: DenseConfig):
        self._config = config
        vector = data.ArrayLayout(config.column.members["values"], config.chains)
        super().__init__(
            {
                **{name: wiring.In(1) for name in ("valid", "axpy", "first", "last", "load")},
                "beat": wiring.In(config.beat),
                "weights": wiring.In(config.weights),
                "vector": wiring.In(vector),
                "o": wiring.Out(config.chain_totals),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        cells = range(config.chain)
        stages = Stages(m, Const(1))
        beat = data.View(config.beat, stages.delay(self.beat.as_value(), ENTRY, "beat"))
        weights = self._weights(m, stages.delay(self.weights.as_value(), ENTRY, "weights"))
        loads, axpys, controls = self._controls(m)
        for chain in range(config.chains):
            half = chain * 2 // config.chains
            delayed = [
                stages.delay(beat[chain * config.chain + cell], cell, f"byte{chain}_{cell}")
                for cell in cells
            ]
            for lane in range(config.nodes):
                m.submodules[f"chain{lane}_{chain}"] = part = Chain(config)
                m.d.comb += [
                    part.vector.eq(self.vector[chain][lane]),
                    part.load.eq(loads),
                    part.axpy.eq(axpys),
                    part.control.eq(controls),
                    self.o[chain][lane].eq(part.o),
                ]
                for cell in cells:
                    m.d.comb += [
                        part.bytes[cell].eq(delayed[cell]),
                        part.weights[cell].eq(weights[cell][half][lane]),
                    ]
        return m

    def _weights(self, m: Module, weights) -> list[data.View]:
        """Return the weights for each cell, each a cycle after the previous cell."""
        found = [data.View(self._config.weights, weights)]
        for cell in range(1, self._config.chain):
            # Named registers instead of a delay line: every cell taps one.
            later = Signal(self._config.weights, name=f"weights{cell}", reset_less=True)
            m.d.sync += later.eq(found[-1])
            found.append(later)
        return found

    def _controls(self, m: Module) -> tuple[Signal, Signal, data.View]:
        """Return the controls of the cells: a bit a cell of `load` and `axpy`, and its control."""
        config = self._config
        count = config.chain
        width = ENTRY + Chain.CONTROL + count - 1
        ages = {}
        for name in ("valid", "axpy", "first", "load"):
            # Bit i is the value of i cycles ago.
            signal = getattr(self, name)
            age = Signal(width, name=f"{name}_ages")
            # These count only with `valid` or `load`.
            reset_less = name in ("axpy", "first")
            past = Signal(width - 1, name=f"{name}_past", reset_less=reset_less)
            m.d.comb += age.eq(Cat(signal, past))
            m.d.sync += past.eq(age)
            ages[name] = age
        loads = Signal(unsigned(count))
        axpys = Signal(unsigned(count))
        m.d.comb += [loads.eq(ages["load"][ENTRY:]), axpys.eq(ages["axpy"][ENTRY:])]

        # Counts the shifts of a drain; cell j shifts j times and is then free. All of this is a
        # cycle early, because the controls are registers: each of them drives a cell of all chains.
        begins = Stages(m, Const(1)).delay(
            self.last, array_latency(config) - Chain.CONTROL - 1, "last", reset=True
        )
        shift = Signal(range(count + 1))
        with m.If(begins):
            m.d.sync += shift.eq(1)
        with m.Elif((shift != 0) & (shift != count)):
            m.d.sync += shift.eq(shift + 1)
        with m.Else():
            m.d.sync += shift.eq(0)
        controls = Signal(data.ArrayLayout(cell_control(), count), reset_less=True)
        for cell in range(count):
            age = ENTRY + Chain.CONTROL + cell - 1
            valid, axpy, first = (ages[name][age] for name in ("valid", "axpy", "first"))
            shifts = (shift != 0) & (shift <= cell)
            m.d.sync += [
                controls[cell].multiply.eq(valid & ~shifts),
                controls[cell].cascade.eq(Mux(shifts, 1, (valid & ~axpy) if cell else 0)),
                controls[cell].keep.eq(~shifts & (~valid | (axpy & ~first))),
            ]
        return loads, axpys, controls
