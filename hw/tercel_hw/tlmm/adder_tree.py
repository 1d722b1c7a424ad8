"""Many signed terms to one sum."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from tercel_hw.tlmm.arithmetic import plus_or_minus

__all__ = ["AdderTree"]


class AdderTree(wiring.Component):
    """A pipelined binary tree of adders, K nodes wide.

    The sign of a term is the same for all nodes and travels beside it: an adder takes the left
    sign out of both its terms, so that it adds or subtracts, and hands that sign on. Thus no term
    is ever negated. Every sum is just as wide as its terms can make it.

    One set of terms a cycle; the result ``latency`` cycles later.

    Parameters
    ----------
    peaks
        Largest magnitude of every term.
    nodes
        Lanes K.

    Members
    -------
    enable : In
        Clock enable of all registers.
    terms : In
        ``[term][node]``, as wide as the largest needs.
    negative : In
        The signs of the terms.
    total : Out
        Their sum, node by node, but for its sign.
    negated : Out
        The sign of the sum.
    """

    enable: Signal
    terms: data.View
    negative: Signal
    total: data.View
    negated: Signal

    def __init__(self, *, peaks: Sequence[int], nodes: int):
        if not peaks or min(peaks) < 1:
            raise ValueError(f"peaks must be positive, one or more, not {peaks!r}")
        if nodes < 1:
            raise ValueError(f"nodes must be positive, not {nodes!r}")
        self._peaks = tuple(peaks)
        self._nodes = nodes
        term = data.ArrayLayout(signed(_width(max(peaks))), nodes)
        super().__init__(
            {
                "enable": In(1),
                "terms": In(data.ArrayLayout(term, len(peaks))),
                "negative": In(len(peaks)),
                "total": Out(data.ArrayLayout(signed(_width(sum(peaks))), nodes)),
                "negated": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles: the levels of the tree."""
        return (len(self._peaks) - 1).bit_length()

    def elaborate(self, platform):
        m = Module()
        level = [
            (peak, self.negative[i], [self.terms[i][node] for node in range(self._nodes)])
            for i, peak in enumerate(self._peaks)
        ]
        for depth in range(self.latency):
            pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
            level = [self._add(m, f"{depth}_{i}", pair) for i, pair in enumerate(pairs)]
        ((_, sign, sums),) = level
        m.d.comb += self.negated.eq(sign)
        m.d.comb += [self.total[node].eq(total) for node, total in enumerate(sums)]
        return m

    def _add(self, m: Module, name: str, terms: list) -> tuple:
        """The register behind the sum of one pair, or behind a term without a partner."""
        peak = sum(peak for peak, _, _ in terms)
        _, left_sign, left = terms[0]
        sign = Signal(name=f"sign_{name}")
        sums = [Signal(signed(_width(peak)), name=f"sum_{name}_{n}") for n in range(self._nodes)]
        with m.If(self.enable):
            m.d.sync += sign.eq(left_sign)
            for node, total in enumerate(sums):
                if len(terms) == 1:
                    m.d.sync += total.eq(left[node])
                else:
                    _, right_sign, right = terms[1]
                    minus, a, b = left_sign ^ right_sign, left[node], right[node]
                    m.d.sync += total.eq(plus_or_minus(minus, a, b))
        return peak, sign, sums


def _width(peak: int) -> int:
    return bits_for(peak) + 1
