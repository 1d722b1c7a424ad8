"""Errors of real scales of groups in an image, and sizes of models with groups.

Errors: measured in software. Fp16 scales, log-normal within a row of 20 groups (2560 columns), and
equal in a row, as the shards of a matrix are. Sizes, the speed that the memory allows, and that of
the cycle model on the accelerator kv260-groups: model, of shapes alone.

    python bench/groups.py
"""

import numpy as np

from tercel.config import ModelConfig
from tercel.image import PassBytes, default_layout, footprint, quantise_scales, segments
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR

ROWS, GROUPS = 20_000, 20
MEDIAN = 0.02
SPREADS = (0.0, 0.1, 0.2, 0.35, 0.5, 1.0)
"""Standard deviations of the natural logarithm of a row's scales."""
PRECISE = 1 / 8
"""Scales from this part of their row's largest one on are promised to be within 0.2 %."""

CONTEXT = 128
BANDWIDTH = 15e9
"""Bytes a second that a kv260 reads."""


def qwen3(name: str, layers: int, width: int, ffn: int, heads: int, *, tied: bool) -> ModelConfig:
    """A Qwen3 shape with ternary groups of 128 and a ternary head."""
    return ModelConfig(
        name=name,
        layers=layers,
        hidden_size=width,
        ffn_size=ffn,
        heads=heads,
        kv_heads=8,
        head_size=128,
        vocab_size=151936,
        context=4096,
        rope_base=1e6,
        norm_epsilon=1e-6,
        tied_head=tied,
        granularity="group",
        ternary_head=True,
        qk_norm=True,
    )


SHAPES = (
    qwen3("1.7B", 28, 2048, 6144, 16, tied=True),
    qwen3("4B", 36, 2560, 9728, 32, tied=True),
    qwen3("8B", 36, 4096, 12288, 32, tied=False),
)


def size_line(config: ModelConfig) -> str:
    """A line of the table of sizes."""
    layout = default_layout(config)
    size = footprint(config, layout)
    read = PassBytes(segments(config, layout), layout).count()
    cache = CONTEXT * size.kv_per_position
    cells = (
        config.name,
        f"{config.ternary_weights / 1e9:.2f} G",
        f"{size.bits_per_weight:.4f}",
        f"{size.tape / 1e6:.0f} MB",
        f"{read / 1e6:.0f} + {cache / 1e6:.1f} MB",
        f"{BANDWIDTH / (read + cache):.1f}",
        f"{decode_speed(config):.1f}",
    )
    return f"| {' | '.join(cells)} |"


def decode_speed(config: ModelConfig) -> float:
    """Tokens a second after `CONTEXT` positions, a token a pass, with the argmax of the head."""
    prediction = predict_pass(
        config,
        ACCELERATORS["kv260-groups"],
        DDR["kv260-15.0"],
        nodes=1,
        base=CONTEXT,
        head_rows=config.vocab_size,
    )
    return prediction.passes_per_second


def fp16_scales(spread: float) -> np.ndarray:
    """Scales ``[rows, groups]`` that fp16 holds."""
    rng = np.random.default_rng(1)
    rows = MEDIAN * rng.lognormal(0.0, 0.3, (ROWS, 1))
    return (rows * rng.lognormal(0.0, spread, (ROWS, GROUPS))).astype(np.float16).astype(np.float64)


def line(spread: float) -> str:
    """A line of the table: the errors of one spread."""
    scales = fp16_scales(spread)
    errors = quantise_scales(scales).relative_errors(scales)
    ratio = scales.max(axis=1) / scales.min(axis=1)
    precise = scales >= scales.max(axis=1, keepdims=True) * PRECISE
    small = errors[~precise]
    cells = (
        f"{spread:g}",
        f"{np.median(ratio):.2f}, {ratio.max():.1f}",
        f"{100 * errors[precise].max():.3f} %",
        f"{100 * np.sqrt((errors[precise] ** 2).mean()):.3f} %",
        f"{100 * small.size / errors.size:.2f} %",
        f"{100 * small.max():.2f} %" if small.size else "-",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    print("| spread | largest / smallest: median, most | worst | rms | beyond 8 | their worst |")
    print("|---:|---:|---:|---:|---:|---:|")
    for spread in SPREADS:
        print(line(spread))
    print(
        "\n| shape | weights | bits a weight | tape | a token reads | at most tok/s | predicted |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for shape in SHAPES:
        print(size_line(shape))


if __name__ == "__main__":
    main()
