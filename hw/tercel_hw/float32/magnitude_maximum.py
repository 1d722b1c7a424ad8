"""The largest magnitude of a row."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring

from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.float32.row import check_elements, row_signature
from tercel_hw.float32.stages import Stages

__all__ = ["MagnitudeMaximum"]

MAGNITUDE_BITS = FLOAT32_BITS - 1


class MagnitudeMaximum(wiring.Component):
    """``abs(x).max()`` of each row; one beat a cycle, latency log2(elements) + 1.

    Magnitudes are compared as integers, which have the same order.

    Parameters
    ----------
    elements
        Elements of a beat: 1, 2, 4, 8 or 16. A row's unused last elements are zeros.

    Members
    -------
    i : In(stream.Signature(StructLayout({"x": ArrayLayout(32, elements), "last": 1})))
    o : Out(stream.Signature(32))
        The maximum of each row.

    Raises
    ------
    TypeError
        If ``elements`` is no integer.
    ValueError
        If ``elements`` is none of these numbers.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, elements: int):
        check_elements(elements)
        self._elements = elements
        super().__init__(
            {
                "i": wiring.In(row_signature(elements)),
                "o": wiring.Out(stream.Signature(FLOAT32_BITS)),
            }
        )

    @property
    def elements(self) -> int:
        return self._elements

    @property
    def latency(self) -> int:
        """Cycles from the transfer of the last beat to the offer of the maximum, without stalls."""
        return self._elements.bit_length()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable = Signal()
        stages = Stages(m, enable)

        x: data.View = self.i.payload.x
        magnitudes: list[Value] = [x[index][:-1] for index in range(self._elements)]
        while len(magnitudes) > 1:
            pairs = zip(magnitudes[0::2], magnitudes[1::2], strict=True)
            larger = {f"larger_{i}": Mux(a > b, a, b) for i, (a, b) in enumerate(pairs)}
            magnitudes = list(vars(stages(**larger)).values())
        depth = self.latency - 1
        last = stages.delay(self.i.payload.last, depth, "last")
        valid = stages.delay(self.i.valid, depth, "valid", reset=True)

        # The maximum of the row so far; the first beat of a row replaces it.
        largest = Signal(MAGNITUDE_BITS, reset_less=True)
        begins = Signal(init=1)
        complete = Signal()
        magnitude = magnitudes[0]
        with m.If(enable):
            m.d.sync += complete.eq(valid & last)
            with m.If(valid):
                m.d.sync += begins.eq(last)
                with m.If(begins | (magnitude > largest)):
                    m.d.sync += largest.eq(magnitude)
        m.d.comb += [
            enable.eq(~complete | self.o.ready),
            self.i.ready.eq(enable),
            self.o.valid.eq(complete),
            self.o.payload.eq(largest),
        ]
        return m
