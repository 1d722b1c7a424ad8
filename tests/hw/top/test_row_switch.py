import pytest

from tercel_hw.top.row_switch import RowSwitch
from tercel_hw.vector import VectorConfig
from tercel_sim.testbench import get_all, put_all, run

CONFIG = VectorConfig(nodes=2, columns=64, hidden=64, head_size=16, word_bytes=16)
FIELDS = ("normed", "width", "inverse_width", "epsilon", "address", "words")
LENGTHS = (3, 1, 4, 2, 5)
CHOICES = (1, 0, 0, 1, 0)


def command(**choice: int) -> dict:
    return {**dict.fromkeys(FIELDS, 0), "source": 0, "target": 0, **choice}


def rows() -> list[list[dict]]:
    return [
        [{"values": [10 * row, index], "last": index + 1 == length} for index in range(length)]
        for row, length in enumerate(LENGTHS)
    ]


def flat(taken) -> list[tuple]:
    return [(item["values"][0], item["values"][1], item.last) for item in taken]


def expected(wanted: list[list[dict]]) -> list[tuple]:
    return [(*item["values"], item["last"]) for row in wanted for item in row]


@pytest.mark.parametrize("field", ["source", "target"])
def test_rows_pass_in_the_order_of_the_commands(field, idle, back_pressure):
    switch = RowSwitch(layout=CONFIG.row, field=field, count=2)
    sides = len(switch.i), len(switch.o)
    assert sides == ((2, 1) if field == "source" else (1, 2))

    def of(side: int, count: int) -> list[list[dict]]:
        return [
            row for row, choice in zip(rows(), CHOICES, strict=True) if count == 1 or choice == side
        ]

    async def tell(ctx):
        commands = [command(**{field: choice}) for choice in CHOICES]
        await put_all(ctx, switch.i_command, commands, idle)

    def giver(side):
        async def give(ctx):
            items = [item for row in of(side, sides[0]) for item in row]
            await put_all(ctx, switch.i[side], items, idle)

        return give

    def consumer(side):
        async def take(ctx):
            count = sum(map(len, of(side, sides[1])))
            return flat(await get_all(ctx, switch.o[side], count, back_pressure))

        return take

    givers, consumers = map(giver, range(sides[0])), map(consumer, range(sides[1]))
    results = run(switch, tell, *givers, *consumers, max_cycles=1000)
    for side in range(sides[1]):
        assert results[1 + sides[0] + side] == expected(of(side, sides[1]))


def test_both_targets_get_the_rows_that_are_for_both(idle, back_pressure):
    """Their elements pass together, in the order of the commands."""
    switch = RowSwitch(layout=CONFIG.row, field="target", count=2, both=True)
    asked = [(1, 0), (0, 1), (0, 0), (0, 1), (1, 0)]
    taken = [
        [row for row, (target, both) in zip(rows(), asked, strict=True) if both or target == side]
        for side in range(2)
    ]

    async def tell(ctx):
        commands = [command(target=target, both=both) for target, both in asked]
        await put_all(ctx, switch.i_command, commands, idle)

    async def give(ctx):
        await put_all(ctx, switch.i[0], [item for row in rows() for item in row], idle)

    def consumer(side):
        async def take(ctx):
            return flat(
                await get_all(ctx, switch.o[side], sum(map(len, taken[side])), back_pressure)
            )

        return take

    results = run(switch, tell, give, consumer(0), consumer(1), max_cycles=400)
    assert results[2:] == [expected(taken[0]), expected(taken[1])]
