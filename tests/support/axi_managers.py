"""Scripts of managers of a 64-bit AXI4 port: valid ones, and one for each broken rule."""

from collections.abc import Generator
from dataclasses import dataclass

from tercel_sim.axi_rules import AxiBeat, AxiBurst

__all__ = ["BAD", "BEAT_BYTES", "GOOD", "Step", "beat", "burst", "playing", "requests"]

BEAT_BYTES = 8
LIMIT = 100
"""Cycles within which a memory must accept an offer."""
ANSWERED = 300
"""Cycles within which a memory must answer the longest burst."""


@dataclass(frozen=True)
class Step:
    """Simultaneous offers of a manager by channel; addresses are relative to the memory's start.

    Each offer stays until it is accepted or, if ``stalled``, for one cycle in which the memory
    accepts nothing.
    """

    offers: dict[str, AxiBurst | AxiBeat]
    stalled: bool = False


def playing(script: list[Step]) -> Generator[tuple[dict, bool], set[str], None]:
    """Yield each cycle's offers and whether the memory is stalled; send the accepted channels."""
    for step in script:
        waiting = dict(step.offers)
        for _ in range(1 if step.stalled else LIMIT):
            taken = yield dict(waiting), step.stalled
            if step.stalled:
                break
            for channel in taken:
                del waiting[channel]
            if not waiting:
                break
        else:
            raise AssertionError(f"the memory does not take {waiting}")
    for _ in range(ANSWERED):
        yield {}, False


def burst(address=0, length=0, *, size=3, burst=1, id=0):
    return AxiBurst(address, length, size, burst, id)


def beat(data=0x1122_3344_5566_7788, *, strobes=0xFF, last=False):
    return AxiBeat(data, strobes, last)


def requests(channel: str, *bursts: AxiBurst) -> list[Step]:
    """Steps of consecutive requests; write requests are followed by their beats."""
    steps = []
    for each in bursts:
        steps.append(Step({channel: each}))
        if channel == "aw":
            steps += [
                Step({"w": beat(index + 1, last=index == each.length)})
                for index in range(each.length + 1)
            ]
    return steps


def changing(channel: str, first, then) -> list[Step]:
    """Steps in which a waiting offer is changed, or withdrawn if ``then`` is ``None``."""
    after = Step({channel: then}) if then else Step({}, stalled=True)
    return [Step({channel: first}, stalled=True), after]


KIND, WIDTH, START, PAGE = (
    "a burst is not INCR",
    "a burst has beats of another width than the port",
    "a burst does not start on a beat",
    "a burst crosses a 4 KiB page",
)
REQUEST, DATA, LAST = (
    "a request was withdrawn or changed before it was taken",
    "a beat to write was withdrawn or changed before it was taken",
    "wlast is not on the last beat of a burst",
)
WRONG_BURSTS = {
    "fixed": (KIND, burst(burst=0)),
    "wrap": (KIND, burst(length=3, burst=2)),
    "narrow": (WIDTH, burst(size=2)),
    "wide": (WIDTH, burst(size=4)),
    "between beats": (START, burst(4)),
    "a byte late": (START, burst(4096 - 16 + 1)),
    "across a page": (PAGE, burst(4096 - 8, 1)),
    "far across a page": (PAGE, burst(4096 - 255 * 8, 255)),
}
CHANGED = {
    "withdrawn": None,
    "address": burst(8, 1),
    "length": burst(0, 2),
    "size": burst(0, 1, size=2),
    "kind": burst(0, 1, burst=0),
    "id": burst(0, 1, id=1),
}
CHANGED_BEATS = {
    "withdrawn": None,
    "data": beat(0x1122_3344_5566_7789, last=True),
    "strobes": beat(strobes=0x7F, last=True),
    "last": beat(),
}
BAD: dict[str, tuple[str, list[Step]]] = {
    f"{channel} {name}": (rule, requests(channel, wrong))
    for channel in ("ar", "aw")
    for name, (rule, wrong) in WRONG_BURSTS.items()
}
BAD |= {
    f"{channel} {name} changed": (REQUEST, changing(channel, burst(0, 1), then))
    for channel in ("ar", "aw")
    for name, then in CHANGED.items()
}
BAD |= {
    f"w {name} changed": (DATA, [Step({"aw": burst()}), *changing("w", beat(last=True), then)])
    for name, then in CHANGED_BEATS.items()
}
BAD |= {
    "a beat before its request goes away": (DATA, changing("w", beat(last=True), None)),
    "last too early": (LAST, [Step({"aw": burst(0, 1)}), Step({"w": beat(last=True)})]),
    "no last": (LAST, [Step({"aw": burst()}), Step({"w": beat()})]),
    "last too late": (
        LAST,
        [Step({"aw": burst(0, 1)}), Step({"w": beat()}), Step({"w": beat()})],
    ),
    "last of the second burst too early": (
        LAST,
        [
            Step({"aw": burst(0, 1)}),
            Step({"aw": burst(16, 2)}),
            *(Step({"w": beat(last=bool(index))}) for index in range(2)),
            Step({"w": beat()}),
            Step({"w": beat(last=True)}),
        ],
    ),
    "a broken rule, then a request changed": (
        KIND,
        [*requests("ar", burst(burst=0)), *changing("ar", burst(), burst(8))],
    ),
    "the first of two broken rules": (
        KIND,
        [*requests("ar", burst(burst=0)), *requests("ar", burst(4))],
    ),
}
"""Name of each faulty manager to the broken rule and the script."""


GOOD: dict[str, list[Step]] = {
    f"{channel} {name}": script
    for channel in ("ar", "aw")
    for name, script in {
        "up to a page": requests(channel, burst(4096 - 8), burst(4096 - 64, 7)),
        "across half a page": requests(channel, burst(2048 - 8, 1)),
        "from a page on": requests(channel, burst(4096, 7)),
        "longest": requests(channel, burst(2048, 255)),
        "ids": requests(channel, burst(0, 1, id=1), burst(24), burst(8, 1, id=1)),
        "waits": [Step({channel: burst(8)}, stalled=True)] * 3 + requests(channel, burst(8)),
        "changes between requests": [
            *requests(channel, burst(8)),
            Step({}, stalled=True),
            Step({channel: burst(16)}, stalled=True),
            *requests(channel, burst(16)),
        ],
    }.items()
}
GOOD |= {
    "a beat waits": [
        Step({"aw": burst()}),
        *[Step({"w": beat(last=True)}, stalled=True)] * 3,
        Step({"w": beat(last=True)}),
    ],
    "a beat before its request": [
        Step({"w": beat(last=True)}, stalled=True),
        Step({"w": beat(last=True), "aw": burst()}),
    ],
    "two bursts announced": [
        Step({"aw": burst(0, 1, id=1)}),
        Step({"aw": burst(16)}),
        Step({"w": beat(1)}),
        Step({"w": beat(2, last=True)}),
        Step({"w": beat(3, last=True)}),
    ],
    "both ways at once": [
        Step({"aw": burst(), "ar": burst(64, 1)}),
        Step({"w": beat(last=True), "ar": burst(128)}),
    ],
    "parts of beats": [
        Step({"aw": burst(0, 2)}),
        Step({"w": beat(strobes=0x0F)}),
        Step({"w": beat(strobes=0)}),
        Step({"w": beat(strobes=0xA5, last=True)}),
    ],
}
"""Name of each valid manager to its script."""
