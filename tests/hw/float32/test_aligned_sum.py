import numpy as np
import pytest

from tercel_hw.float32 import AlignedSum


def golden(a, b, swap, distance, vanishing, subtract):
    """In units of 2^-39 of the big one's highest bit."""
    big, small = (b, a) if swap else (a, b)
    if vanishing or distance >= 34:
        small = distance = 0
    step = small << 16 >> distance
    total = (big << 16) + (-step if subtract else step)
    return {
        "total": total >> 14 & (1 << 27) - 1,
        "short": total >> 25 & 0xFFFF == 0,
        "below": total & (1 << 14) - 1 != 0,
        "lost": step << distance != small << 16,
    }


@pytest.mark.parametrize("near", [False, True], ids=["apart", "near"])
def test_sums(evaluate, near):
    generator = np.random.default_rng(near)
    count = 900
    distance = np.arange(count) % 3 if near else np.arange(count) % 45
    distance = np.where(np.arange(count) % 50 == 49, 64 + np.arange(count) % 192, distance)
    a = generator.integers(1 << 23, 1 << 24, count)
    b = generator.integers(1 << 23, 1 << 24, count)
    if near:
        b[::2] = np.clip(a[::2] + generator.integers(-3, 4, len(a[::2])), 1 << 23, (1 << 24) - 1)
    b[::7] &= -1 << 20
    swap = (distance == 0) & (a < b) | (distance > 0) & (generator.integers(0, 2, count) == 1)
    operands = {
        "a": a,
        "b": b,
        "swap": swap.astype(int),
        "distance": distance,
        "vanishing": (np.arange(count) % 19 == 0).astype(int),
        "subtract": generator.integers(0, 2, count),
    }
    expected = [golden(*map(int, column)) for column in zip(*operands.values(), strict=True)]
    results = evaluate(AlignedSum(), **operands)
    assert expected == [{name: result[name] for name in expected[0]} for result in results]
    assert {want["short"] for want in expected} == {near, False}
    assert {want["lost"] for want in expected} == {not near, False}


def test_both_forms_are_one(check_forms):
    """Random operands, with a distance of up to 40 in a third of the cycles."""
    generator = np.random.default_rng(3)
    stimulus = [
        {
            "a": int(generator.integers(0, 1 << 24)),
            "b": int(generator.integers(0, 1 << 24)) & -1 << int(generator.integers(0, 24)),
            "swap": int(generator.integers(0, 2)),
            "distance": int(generator.integers(0, [40, 4, 256][cycle % 3])),
            "vanishing": int(generator.random() < 0.1),
            "subtract": int(generator.integers(0, 2)),
            "enable": int(cycle < 8 or generator.random() < 0.7),
        }
        for cycle in range(1500)
    ]
    check_forms(AlignedSum, start_up=6, stimulus=stimulus)
