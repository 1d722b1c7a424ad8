import pytest

from tercel_hw.top.pass_end import PassEnd
from tercel_sim.testbench import run

WORK = [
    ("row_issued", "row_done"),
    ("cache_issued", "cache_done"),
    ("results_issued", "results_done"),
]


def idle_of(steps):
    """The values of ``idle`` in the cycles after steps of inputs that are not zero."""
    end = PassEnd()
    inputs = [name for pair in WORK for name in pair] + ["waiting", "writing"]

    async def bench(ctx):
        await ctx.tick()  # idle is registered
        seen = []
        for step in steps:
            for name in inputs:
                ctx.set(getattr(end, name), step.get(name, 0))
            *_, idle = await ctx.tick().sample(end.idle)
            seen.append(idle)
        return seen

    return run(end, bench, max_cycles=100)[0]


@pytest.mark.parametrize(("issued", "done"), WORK)
def test_a_pass_lasts_as_long_as_work_is_outstanding(issued, done):
    # The count is known a cycle after the command and two after the end, idle a cycle later.
    assert idle_of([{issued: 1}, {}, {}, {done: 1}, {}, {}, {}]) == [1, 1, 0, 0, 0, 0, 1]


def test_of_two_runs_both_must_be_done():
    steps = [{"results_issued": 2}, {}, {"results_done": 1}, {}, {"results_done": 1}, {}, {}, {}]
    assert idle_of(steps) == [1, 1, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("name", ["waiting", "writing"])
def test_what_is_under_way_shows_in_the_next_cycle(name):
    assert PassEnd.LATENCY == 1
    assert idle_of([{}, {name: 1}, {name: 1}, {}, {}]) == [1, 1, 0, 0, 1]


def test_kinds_of_work_do_not_make_up_for_each_other():
    steps = [{"row_issued": 1}, {"cache_issued": 1, "row_done": 1}, {}, {}, {"cache_done": 1}]
    assert idle_of([*steps, {}, {}, {}, {}]) == [1, 1, 0, 0, 0, 0, 0, 1, 1]
