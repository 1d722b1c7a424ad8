"""The sum of the terms of a row-chunk, in blocks and groups."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tercel.image.multiplier import MOST_MULTIPLIER
from tercel.numerics.blocks import MOST_SHIFT
from tercel_hw.tlmm.adder_tree import AdderTree
from tercel_hw.tlmm.config import BLOCK_CODES, TlmmConfig
from tercel_hw.tlmm.layouts import multipliers_layout, powers_layout, terms_layout, total_layout
from tercel_hw.tlmm.product_chain import ProductChain

__all__ = ["GroupTree"]


class GroupTree(wiring.Component):
    """Adds the terms of a row-chunk, with a power of two for each block and node.

    ``total = sum over groups of multiplier * sum over the group's two blocks of power * sum of the
    block's terms``. With powers and multipliers of 1 that is the plain sum, so matrices without
    groups take the same way. An adder tree sums up a block; a chain of two multipliers makes a
    group's sum for each node, and a chain of all groups the total.

    One set of terms a cycle; the total ``config.term_latency`` cycles later.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    terms, negative : In
        As those of :class:`AdderTree`.
    powers : In
        ``[block][node]``, of the terms of ``config.block_latency`` cycles before.
    multipliers : In
        Of each group, of the terms of ``config.group_latency`` cycles before.
    total : Out
        Total of each node.
    """

    terms: data.View
    negative: Signal
    powers: data.View
    multipliers: data.View
    total: data.View

    def __init__(self, *, config: TlmmConfig):
        self._config = config
        super().__init__(
            {
                "terms": In(terms_layout(config)),
                "negative": In(len(config.peaks)),
                "powers": In(powers_layout(config)),
                "multipliers": In(multipliers_layout(config)),
                "total": Out(total_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        parts = BLOCK_CODES * len(config.parts)
        trees = []
        for block in range(config.blocks):
            used = slice(block * parts, (block + 1) * parts)
            tree = AdderTree(
                peaks=config.peaks[used],
                negatable=config.halved * BLOCK_CODES,
                nodes=config.nodes,
            )
            m.submodules[f"block_{block}"] = tree
            trees.append(tree)
            m.d.comb += [tree.enable.eq(1), tree.negative.eq(self.negative[used])]
            m.d.comb += [
                tree.terms[part].eq(self.terms[used.start + part]) for part in range(parts)
            ]
        for node in range(config.nodes):
            total = ProductChain(
                cells=config.groups,
                a_bits=config.group_bits,
                b_bits=MOST_MULTIPLIER.bit_length(),
                bits=config.total_bits,
            )
            m.submodules[f"total_{node}"] = total
            for group in range(config.groups):
                pair = ProductChain(
                    cells=2,
                    a_bits=trees[0].total[node].shape().width,
                    b_bits=MOST_SHIFT + 1,
                    bits=config.group_bits,
                )
                m.submodules[f"group_{group}_{node}"] = pair
                for half in range(2):
                    block = 2 * group + half
                    m.d.comb += pair.a[half].eq(trees[block].total[node])
                    m.d.comb += pair.b[half].eq(self.powers[block][node])
                m.d.comb += total.a[group].eq(pair.o)
                m.d.comb += total.b[group].eq(self.multipliers[group])
            m.d.comb += self.total[node].eq(total.o)
        return m
