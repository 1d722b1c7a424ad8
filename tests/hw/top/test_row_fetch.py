from tercel_hw.top.row_fetch import RowFetch
from tercel_sim.testbench import get_all, put_all, run


def command(kind: int, words: int, address: int) -> dict:
    fields = {"lane": 0, "elements": 0, "scale_index": 0, "scale_address": 1000 + address}
    return {**fields, "kind": kind, "words": words, "address": address}


def test_runs_of_all_kinds(idle, back_pressure):
    fetch = RowFetch()
    commands = [
        command(3, 0, 0),
        command(0, 3, 5),
        command(0, 1, 6),
        command(2, 12, 7),
        command(1, 96, 8),
        command(0, 2, 9),
    ]
    runs = [(1005, 1), (5, 1), (21, 1), (37, 1), (1006, 1), (6, 1), (7, 12), (8, 96)]
    runs += [(1009, 1), (9, 1), (25, 1)]

    async def give(ctx):
        await put_all(ctx, fetch.i_command, commands, idle)

    async def take(ctx):
        taken = await get_all(ctx, fetch.o, len(runs), back_pressure)
        return [(item.address, item.words) for item in taken]

    assert run(fetch, give, take, max_cycles=300)[1] == runs
