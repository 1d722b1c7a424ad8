"""The scaling of integer scores to fixed point, for all lanes."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data

from tercel.numerics.attention import SCORE_BITS
from tercel.numerics.functions import EXP2_FRACTION_BITS
from tercel_hw.attention.config import BFLOAT16_BITS, AttentionConfig
from tercel_hw.float32 import FloatToFixed, IntToFloat, Multiplier, Primitive, Stages, attach

__all__ = ["ScoreLanes"]

BFLOAT16_SIGNIFICAND_BITS = 8


class ScoreLanes(Primitive):
    """``fixed(float32(sum) * (query_scale * key_scale), 9, 18)`` in K lanes; latency 19.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    sums : In(config.dense.sums)
        Dot products; of a head they fit ``config.sum_bits``.
    query_scales : In(config.floats)
    key_scale : In(16)
        bfloat16.
    o : Out(config.scores)
    """

    LATENCY = 2 * Multiplier.LATENCY + FloatToFixed.LATENCY

    sums: data.View
    query_scales: data.View
    key_scale: Signal
    o: data.View

    def __init__(self, config: AttentionConfig):
        self._config = config
        operands = {
            "sums": config.dense.sums,
            "query_scales": config.floats,
            "key_scale": BFLOAT16_BITS,
        }
        super().__init__(operands, config.scores)

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable = self.enable
        stages = Stages(m, enable)
        key_scale = Cat(Const(0, 16), self.key_scale)
        wait = Multiplier.LATENCY - IntToFloat.LATENCY
        bits = self._config.sum_bits
        for lane in range(self._config.nodes):
            total = self.sums[lane][:bits].as_signed()
            x = attach(m, f"float{lane}", IntToFloat(width=bits), enable, x=total)
            multiplier = Multiplier(b_bits=BFLOAT16_SIGNIFICAND_BITS)
            scale = attach(
                m, f"scale{lane}", multiplier, enable, a=self.query_scales[lane], b=key_scale
            )
            late = stages.delay(x, wait, f"late{lane}")
            scaled = attach(m, f"scaled{lane}", Multiplier(), enable, a=late, b=scale)
            converter = FloatToFixed(fraction_bits=EXP2_FRACTION_BITS, width=SCORE_BITS)
            score = attach(m, f"fixed{lane}", converter, enable, x=scaled)
            m.d.comb += self.o[lane].eq(score)
        return m
