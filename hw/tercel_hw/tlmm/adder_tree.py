"""Many signed terms to one sum."""

from collections.abc import Sequence
from itertools import zip_longest

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
        # A level is its terms, each (peak, nodes), and their signs. Where two terms meet, what
        # counts is whether their signs differ: known and registered a level ahead.
        terms = [
            (peak, [self.terms[i][node] for node in range(self._nodes)])
            for i, peak in enumerate(self._peaks)
        ]
        signs = [self.negative[i] for i in range(len(terms))]
        differ = [left ^ right for left, right in zip(signs[::2], signs[1::2], strict=False)]
        for depth in range(self.latency):
            signs = signs[::2]
            next_differ = [
                left ^ right for left, right in zip(signs[::2], signs[1::2], strict=False)
            ]
            pairs = [terms[i : i + 2] for i in range(0, len(terms), 2)]
            terms = [
                self._add(m, f"sum_{depth}_{i}", pair, minus)
                for i, (pair, minus) in enumerate(zip_longest(pairs, differ))
            ]
            signs = self._register(m, f"sign_{depth}", signs)
            differ = self._register(m, f"differ_{depth}", next_differ)
        ((_, sums),) = terms
        m.d.comb += self.negated.eq(signs[0])
        m.d.comb += [self.total[node].eq(total) for node, total in enumerate(sums)]
        return m

    def _register(self, m: Module, name: str, bits: list) -> list:
        registers = [Signal(name=f"{name}_{i}") for i in range(len(bits))]
        with m.If(self.enable):
            m.d.sync += [register.eq(bit) for register, bit in zip(registers, bits, strict=True)]
        return registers

    def _add(self, m: Module, name: str, pair: list, minus) -> tuple:
        """The registers behind the sums of a pair, or behind a term without a partner."""
        peak = sum(peak for peak, _ in pair)
        sums = [Signal(signed(_width(peak)), name=f"{name}_{node}") for node in range(self._nodes)]
        with m.If(self.enable):
            for node, total in enumerate(sums):
                values = [nodes[node] for _, nodes in pair]
                after = values[0] if len(pair) == 1 else plus_or_minus(minus, *values)
                m.d.sync += total.eq(after)
        return peak, sums


def _width(peak: int) -> int:
    return bits_for(peak) + 1
