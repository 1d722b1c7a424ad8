"""A pipelined adder tree of many signed terms."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from tercel_hw.tlmm.adder_levels import COMPLEMENTED, COUNTED, SUMMED, count_latency, tree_latency
from tercel_hw.tlmm.ternary_adder import TernaryAdder

__all__ = ["AdderTree"]


@dataclass(frozen=True, kw_only=True)
class _Term:
    """A term: a number in ``low..high`` of each lane."""

    low: int
    high: int
    values: list[Value]


class AdderTree(wiring.Component):
    """A pipelined tree of adders, K nodes wide.

    A term with a sign has the same sign for all nodes. ``-x`` is ``~x + 1``: adders of two such
    terms take each of them or its complement; the missing ones are counted beside the tree, once
    for all nodes, and added as a term. All other adders have three operands (`TernaryAdder`). Every
    sum is only as wide as its terms require.

    One set of terms a cycle; the result ``latency`` cycles later. The registers have no reset.

    Parameters
    ----------
    peaks
        Largest magnitude of every term.
    negatable
        For each term, True if it has a sign.
    nodes
        Lanes K.

    Members
    -------
    enable : In
        Clock enable of all registers.
    terms : In
        ``[term][node]``, each as wide as the largest peak.
    negative : In
        Signs of the terms; ignored for terms without one.
    total : Out
        Sum of the terms for each node.

    Raises
    ------
    ValueError
        If a parameter breaks its rule.
    """

    enable: Signal
    terms: data.View
    negative: Signal
    total: data.View

    def __init__(self, *, peaks: Sequence[int], negatable: Sequence[bool], nodes: int):
        if not peaks or min(peaks) < 1:
            raise ValueError(f"peaks must be positive, one or more, not {peaks!r}")
        if len(negatable) != len(peaks):
            raise ValueError(f"negatable must tell of {len(peaks)} terms, not {len(negatable)}")
        if nodes < 1:
            raise ValueError(f"nodes must be positive, not {nodes!r}")
        self._peaks = tuple(peaks)
        self._negatable = tuple(negatable)
        self._nodes = nodes
        term = data.ArrayLayout(_shape(max(peaks)), nodes)
        super().__init__(
            {
                "enable": In(1),
                "terms": In(data.ArrayLayout(term, len(peaks))),
                "negative": In(len(peaks)),
                "total": Out(data.ArrayLayout(_shape(sum(peaks)), nodes)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from terms to total, the levels of the tree."""
        with_sign = sum(self._negatable)
        return tree_latency(plain=len(self._peaks) - with_sign, with_sign=with_sign)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plain = [self._term(i) for i, sign in enumerate(self._negatable) if not sign]
        with_sign = [i for i, sign in enumerate(self._negatable) if sign]
        terms = _level(m, "sum_0", plain, SUMMED, self.enable)
        terms += _level(
            m, "chosen", [self._chosen(i) for i in with_sign], COMPLEMENTED, self.enable
        )
        counts = [_Term(low=0, high=1, values=[self.negative[i]]) for i in with_sign]
        counted = count_latency(len(with_sign))
        for level in range(counted):
            counts = _level(m, f"count_{level}", counts, COUNTED[min(level, 1)], self.enable)
        for level in range(1, self.latency):
            if level == counted:
                ((count,),) = (term.values for term in counts)
                terms.append(_Term(low=0, high=len(with_sign), values=[count] * self._nodes))
            terms = _level(m, f"sum_{level}", terms, SUMMED, self.enable)
        (total,) = terms
        m.d.comb += [self.total[node].eq(value) for node, value in enumerate(total.values)]
        return m

    def _term(self, index: int) -> _Term:
        peak = self._peaks[index]
        width = _shape(peak).width
        values = [self.terms[index][node][:width].as_signed() for node in range(self._nodes)]
        return _Term(low=-peak, high=peak, values=values)

    def _chosen(self, index: int) -> _Term:
        """Return a term, or its complement if it is negative."""
        term = self._term(index)
        values = [Mux(self.negative[index], ~value, value) for value in term.values]
        return _Term(low=term.low - 1, high=term.high, values=values)


def _level(m: Module, name: str, terms: list[_Term], size: int, enable: Value) -> list[_Term]:
    """Add a level of registered sums of ``size`` terms each, the last of the remaining ones."""
    groups = [terms[start : start + size] for start in range(0, len(terms), size)]
    return [_sum(m, f"{name}_{place}", group, enable) for place, group in enumerate(groups)]


def _sum(m: Module, name: str, terms: list[_Term], enable: Value) -> _Term:
    low, high = sum(term.low for term in terms), sum(term.high for term in terms)
    shape = Shape.cast(range(low, high + 1))
    registers = []
    for lane, operands in enumerate(zip(*(term.values for term in terms), strict=True)):
        if len(operands) == SUMMED:
            adder = TernaryAdder(width=shape.width)
            m.submodules[f"{name}_lane{lane}"] = adder
            ports = zip((adder.a, adder.b, adder.c), operands, strict=True)
            m.d.comb += [port.eq(value) for port, value in ports]
            total = adder.o
        else:
            total = sum(operands[1:], operands[0])
        register = Signal(shape, name=f"{name}_lane{lane}", reset_less=True)
        with m.If(enable):
            m.d.sync += register.eq(total)
        registers.append(register)
    return _Term(low=low, high=high, values=registers)


def _shape(peak: int) -> Shape:
    return signed(bits_for(peak) + 1)
