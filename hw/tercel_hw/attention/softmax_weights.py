"""Scores to integer weights."""

from amaranth.hdl import Array, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring

from tercel.numerics.attention import SCORE_BITS
from tercel_hw.attention.config import BFLOAT16_BITS, AttentionConfig
from tercel_hw.attention.weight_lane import WeightLane
from tercel_hw.float32 import Stages, attach

__all__ = ["SoftmaxWeights"]

LOWEST = -(1 << (SCORE_BITS - 1))


class SoftmaxWeights(wiring.Component):
    """The integers of ``numerics.attend`` for the queries of one KV head, up to K nodes a turn.

    First walk: keeps each position's scores and value scale, tracks each query's largest score and
    each node's largest visible exponent. Second walk: weights in the same order, while the
    denominators are summed. Positions come as in ``CacheView``: the past, then the pass's nodes,
    so that a walk is one contiguous read; a node sees the past and its ancestors.

    Throughput: a position and turn a cycle in both walks. The first weights are offered ``LATENCY``
    cycles after the last scores were taken; the denominators, a turn a cycle, in the cycle after
    the last weights were taken.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i_walk : In(stream.Signature(config.walk))
        ``past + nodes <= positions`` and ``(past + nodes) * turns <= score_words``; ``nodes`` and
        ``turns`` at least 1.
    i_score : In(stream.Signature(StructLayout({"scores": ..., "value_scale": 16})))
        For each position, each turn.
    o_weight : Out(stream.Signature(config.dense.weights))
        For each position, each turn.
    o_denominator : Out(stream.Signature(config.denominators))
        For each turn.
    """

    LATENCY = WeightLane.LATENCY + 2

    i_walk: stream.Interface
    i_score: stream.Interface
    o_weight: stream.Interface
    o_denominator: stream.Interface

    def __init__(self, config: AttentionConfig):
        self._config = config
        scored = data.StructLayout({"scores": config.scores, "value_scale": BFLOAT16_BITS})
        super().__init__(
            {
                "i_walk": wiring.In(stream.Signature(config.walk)),
                "i_score": wiring.In(stream.Signature(scored)),
                "o_weight": wiring.Out(stream.Signature(config.dense.weights)),
                "o_denominator": wiring.Out(stream.Signature(config.denominators)),
            }
        )

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        walk = Signal(config.walk)
        position = Signal(range(config.positions))
        turn = Signal(range(config.turns))
        word = Signal(range(config.score_words))
        busy, storing, weighing, summed = Signal(), Signal(), Signal(), Signal()
        taken, issued, stepped, last_turn, ends = (Signal() for _ in range(5))
        enable = Signal()

        m.d.comb += [
            self.i_walk.ready.eq(~busy),
            self.i_score.ready.eq(storing),
            taken.eq(self.i_score.valid & storing),
            enable.eq(~self.o_weight.valid | self.o_weight.ready),
            issued.eq(weighing & enable),
            stepped.eq(taken | issued),
            last_turn.eq(turn + 1 == walk.turns),
            ends.eq(last_turn & (position + 1 == walk.past + walk.nodes)),
        ]
        with m.If(self.i_walk.valid & self.i_walk.ready):
            m.d.sync += [walk.eq(self.i_walk.payload), storing.eq(1), busy.eq(1)]
        with m.If(stepped):
            m.d.sync += [word.eq(word + 1), turn.eq(Mux(last_turn, 0, turn + 1))]
            with m.If(last_turn):
                m.d.sync += position.eq(position + 1)
            with m.If(ends):
                m.d.sync += [position.eq(0), word.eq(0)]
                m.d.sync += [storing.eq(0), weighing.eq(storing)]

        visible = self._visible(m, walk, position)
        score, scale = self._stores(m, taken, word, position, enable)
        first = position == 0
        maxima, largest = self._maxima(m, taken, first, turn, visible)

        # Valid bits, unlike data, start from reset.
        stages = Stages(m, enable)
        valid = Signal(WeightLane.LATENCY + 1)
        with m.If(enable):
            m.d.sync += valid.eq((valid << 1) | issued)
        fetched = stages(visible=visible, turn=turn, first=first, last=ends)
        late = {
            name: stages.delay(value, WeightLane.LATENCY, f"late_{name}")
            for name, value in vars(fetched).items()
        }
        m.d.comb += self.o_weight.valid.eq(valid[-1])
        # Zeros and subnormals have no mantissa, and do not raise the largest exponent.
        exponent = scale[7:15]
        mantissa = Mux(exponent.any(), scale[:7] | 0x80, 0)
        leaves = self.o_weight.valid & self.o_weight.ready
        turns = [
            Signal(config.denominators.members["sums"], name=f"sums{index}", reset_less=True)
            for index in range(config.turns)
        ]
        sums = Array(turns)
        for lane in range(config.nodes):
            result = WeightLane()
            attach(
                m,
                f"lane{lane}",
                result,
                enable,
                score=score[lane],
                maximum=maxima[fetched.turn][lane],
                exponent=exponent,
                largest=largest[lane],
                mantissa=mantissa,
                visible=fetched.visible[lane],
            )
            m.d.comb += self.o_weight.payload[lane].eq(result.o.weight)
            before = Mux(late["first"], 0, sums[late["turn"]][lane])
            with m.If(leaves):
                m.d.sync += sums[late["turn"]][lane].eq(before + result.o.term)
        with m.If(leaves & late["last"]):
            m.d.sync += summed.eq(1)
        with m.If(summed & self.o_denominator.ready & self.o_denominator.payload.last):
            m.d.sync += busy.eq(0)
        self._offer(m, summed, walk.turns, sums, largest)
        return m

    def _visible(self, m: Module, walk, position: Signal) -> Signal:
        """A bit a lane: whether it sees the position."""
        nodes = self._config.nodes
        visible = Signal(nodes)
        node = (position - walk.past)[: max(nodes - 1, 1).bit_length()]
        for lane in range(nodes):
            own = walk.ancestors[lane].bit_select(node, 1)
            sees = Mux(position < walk.past, 1, own) & (lane < walk.nodes)
            m.d.comb += visible[lane].eq(sees)
        return visible

    def _stores(self, m: Module, write, word, position, read) -> tuple[data.View, Signal]:
        """The memories of scores and value scales; what they give a cycle later."""
        config = self._config
        attrs = {} if config.ram_style is None else {"ram_style": config.ram_style}
        m.submodules.scores = scores = memory.Memory(
            shape=config.scores, depth=config.score_words, init=[], attrs=attrs
        )
        m.submodules.scales = scales = memory.Memory(
            shape=unsigned(BFLOAT16_BITS), depth=config.positions, init=[]
        )
        payload = self.i_score.payload
        outputs = []
        for store, address, value in (
            (scores, word, payload.scores),
            (scales, position, payload.value_scale),
        ):
            write_port, read_port = store.write_port(), store.read_port()
            m.d.comb += [
                write_port.addr.eq(address),
                write_port.data.eq(value),
                write_port.en.eq(write),
                read_port.addr.eq(address),
                read_port.en.eq(read),
            ]
            outputs.append(read_port.data)
        return outputs[0], outputs[1]

    def _maxima(self, m: Module, taken, first, turn, visible) -> tuple[Array, Signal]:
        """Largest score of each turn and lane, largest exponent of each lane."""
        config = self._config
        maxima = Array(
            Signal(config.scores, name=f"maxima{index}", reset_less=True)
            for index in range(config.turns)
        )
        largest = Signal(config.denominators.members["exponents"], reset_less=True)
        payload = self.i_score.payload
        new_exponent = payload.value_scale[7:15]
        for lane in range(config.nodes):
            score, maximum = payload.scores[lane], maxima[turn][lane]
            greater = visible[lane] & (first | (score > maximum))
            higher = visible[lane] & (first | (new_exponent > largest[lane]))
            with m.If(taken & (first | greater)):
                m.d.sync += maximum.eq(Mux(greater, score, LOWEST))
            with m.If(taken & (first | higher)):
                m.d.sync += largest[lane].eq(Mux(higher, new_exponent, 0))
        return maxima, largest

    def _offer(self, m: Module, summed: Signal, turns, sums: Array, largest: Signal) -> None:
        """The denominators, turn by turn."""
        turn = Signal(range(self._config.turns))
        payload = self.o_denominator.payload
        m.d.comb += [
            self.o_denominator.valid.eq(summed),
            payload.sums.eq(sums[turn]),
            payload.exponents.eq(largest),
            payload.last.eq(turn + 1 == turns),
        ]
        with m.If(summed & self.o_denominator.ready):
            m.d.sync += turn.eq(turn + 1)
            with m.If(payload.last):
                m.d.sync += [turn.eq(0), summed.eq(0)]
