"""Errors of real scales of groups as multipliers and row scales of an image.

Evidence class: measured in software. Fp16 scales, log-normal within a row of 20 groups (2560
columns), and equal in a row, as the shards of a matrix are.

    python bench/group_scales.py
"""

import numpy as np

from tercel.image import quantise_scales

ROWS, GROUPS = 20_000, 20
MEDIAN = 0.02
SPREADS = (0.0, 0.1, 0.2, 0.35, 0.5, 1.0)
"""Standard deviations of the natural logarithm of a row's scales."""
PRECISE = 1 / 8
"""Scales from this part of their row's largest one on are promised to be within 0.2 %."""


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


if __name__ == "__main__":
    main()
