# amaranth: UnusedElaboratable=no

import itertools

import numpy as np
import pytest

from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.tlmm.generator import RING, TableGenerator, half_path
from tercel_sim.testbench import put_all, run


@pytest.mark.parametrize("trits", [1, 2, 3, 4])
def test_a_path_visits_every_positive_number_in_single_steps(trits):
    path = np.array([(0,) * trits, *half_path(trits)])
    numbers = path @ 3 ** np.arange(trits)
    assert sorted(numbers) == list(range(3**trits // 2 + 1))
    assert (abs(np.diff(path, axis=0)).sum(axis=1) == 1).all()


def test_a_ring_visits_every_number_but_zero_in_single_steps():
    path = np.array([(0, 0), *RING])
    assert sorted(path @ (1, 3)) == list(range(-4, 5))
    assert (abs(np.diff(path, axis=0)).sum(axis=1) == 1).all()


@pytest.mark.parametrize("code", ["base3", "index5"])
@pytest.mark.parametrize("nodes", [1, 3])
def test_entries_are_the_sums_on_time(code, nodes):
    config = TlmmConfig(code=code, tables=7, nodes=nodes, generators=1)
    dut = TableGenerator(config=config)
    generator = np.random.default_rng(1)
    groups = generator.integers(-127, 128, (3, config.weight_code.group, nodes)).tolist()
    groups.append(np.full((config.weight_code.group, nodes), -127).tolist())
    items = [
        {"group": group, "place": {"slot": slot, "bank": slot & 1, "last": slot == 1}}
        for slot, group in enumerate(groups)
    ]
    gap = 5  # Cycles without an offer, before the last group.
    seen = []

    async def give(ctx):
        await put_all(ctx, dut.i, items[:-1])
        await ctx.tick().repeat(gap)
        await put_all(ctx, dut.i, items[-1:])

    async def watch(ctx):
        for cycle in range(4 * config.entries + gap + 4):
            _, _, *now = await ctx.tick().sample(
                dut.i.valid & dut.i.ready, dut.entries, dut.place, dut.filled
            )
            seen.append((cycle, *now))

    run(dut, give, watch, max_cycles=200)
    taken = [cycle for cycle, take, *_ in seen if take]
    assert taken[:3] == [0, config.entries, 2 * config.entries]
    assert [(cycle, filled) for cycle, _, _, _, filled in seen if filled] == [
        (taken[1] + config.entries, 1 << 1)
    ]
    start = 0
    for part, trits in enumerate(config.parts):
        found = {slot: {} for slot in range(4)}
        for cycle, _, entries, place, _ in seen:
            entry = entries[str(part)]
            if entry.valid:
                assert 2 <= cycle - taken[place.slot] < 2 + config.sums[part]
                assert place.bank == place.slot & 1
                found[place.slot][entry.index] = list(entry.sums)
        for slot, group in enumerate(groups):
            x = np.array(group)[start : start + trits]
            expected = {}
            for pattern in itertools.product((-1, 0, 1), repeat=trits):
                number = int(np.dot(pattern, 3 ** np.arange(trits)))
                if number > 0 or (number and not config.halved[part]):
                    expected[number % 3**trits] = (np.array(pattern) @ x).tolist()
            assert found[slot] == expected
        start += trits
