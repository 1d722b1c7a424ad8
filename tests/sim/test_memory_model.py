"""The C++ model of a memory against managers that break a rule of AXI, and good ones."""

import numpy as np
import pytest
from axi_managers import BAD, GOOD, Step, beat, burst, requests
from memory_probe import PORTS

OKAY, DECODE_ERROR = 0, 3


@pytest.mark.parametrize("port", range(PORTS))
@pytest.mark.parametrize("name", BAD)
def test_a_bad_manager_is_named(probe, name, port):
    rule, script = BAD[name]
    memory = probe()
    memory.play(script, port)
    assert memory.violation == (port, rule)


@pytest.mark.parametrize("port", range(PORTS))
@pytest.mark.parametrize("name", GOOD)
def test_a_good_manager_is_served(probe, name, port):
    memory = probe()
    memory.play(GOOD[name], port)
    assert memory.violation is None
    assert not any(rows for rows in (memory.read[1 - port], memory.answered[1 - port]))
    assert all(response == OKAY for _, _, response, _ in memory.read[port])
    assert all(response == OKAY for _, response in memory.answered[port])
    asked = [step.offers for step in GOOD[name] if not step.stalled]
    reads = [offers["ar"] for offers in asked if "ar" in offers]
    expected = [(r.id, i == r.length) for r in reads for i in range(r.length + 1)]
    assert [(number, last) for number, _, _, last in memory.read[port]] == expected
    writes = [offers["aw"].id for offers in asked if "aw" in offers]
    assert [number for number, _ in memory.answered[port]] == writes


def test_the_port_that_broke_a_rule_first_is_named(probe):
    memory = probe()
    memory.play(BAD["ar fixed"][1], 1)
    memory.play(BAD["ar narrow"][1], 0)
    assert memory.violation == (1, BAD["ar fixed"][0])


@pytest.mark.parametrize(
    ("first", "then"),
    [({"ar": burst()}, {}), ({"aw": burst()}, {"aw": burst(8)}), ({"w": beat()}, {})],
)
def test_a_reset_forgets_what_was_offered(probe, first, then):
    memory = probe()
    memory.cycle(0, first, True)
    memory.reset()
    memory.cycle(0, then, False)
    assert memory.violation is None


def test_a_reset_forgets_beats_of_a_burst(probe):
    memory = probe()
    memory.cycle(0, {"aw": burst(0, 2)}, False)
    memory.cycle(0, {"w": beat(1)}, False)
    memory.reset()
    memory.play(requests("aw", burst(8, 2)))
    assert memory.violation is None
    assert memory.content[0].view("<u8")[:5].tolist() == [0, 1, 2, 3, 0]


def test_strobes_choose_bytes(probe):
    memory = probe()
    before = np.arange(32, dtype=np.uint8)
    memory.content[1][:32] = before
    strobes = [0x0F, 0x00, 0xA5]
    beats = [beat(0x8877_6655_4433_2211, strobes=each) for each in strobes]
    beats[-1] = beats[-1]._replace(last=True)
    memory.play([Step({"aw": burst(8, 2)}), *(Step({"w": each}) for each in beats)], port=1)
    data = np.frombuffer((0x8877_6655_4433_2211).to_bytes(8, "little"), np.uint8)
    for index, strobe in enumerate([0, *strobes]):
        chosen = np.array([strobe >> byte & 1 for byte in range(8)], bool)
        expected = np.where(chosen, data, before[8 * index : 8 * index + 8])
        assert memory.content[1][8 * index : 8 * index + 8].tolist() == expected.tolist()
    assert not memory.content[0].any()


def test_reads_show_the_memory_as_of_their_request(probe):
    memory = probe()
    memory.content[0].view("<u8")[:] = np.arange(1024) + 7
    memory.play(requests("ar", burst(16, 2, id=1), burst(4096 - 8)))
    assert memory.read[0] == [
        *((1, 9 + index, OKAY, index == 2) for index in range(3)),
        (0, 7 + 511, OKAY, True),
    ]
    memory.cycle(0, {"ar": burst(0)}, False)
    memory.content[0].view("<u8")[0] = 99
    memory.play([])
    assert memory.read[0][-1][1] == 7


@pytest.mark.parametrize(
    ("address", "length", "inside"),
    [
        *((-8, 0, 0), (-16, 1, 0), (4000, 0, 0), (4000 - 8, 0, 1)),
        *((4000 - 24, 3, 3), (4000 - 32, 3, 4), (1 << 19, 0, 0)),
    ],
)
def test_what_lies_outside_is_an_error(probe, address, length, inside):
    """A read of a burst is refused whole; of a write, what lies inside is written."""
    memory = probe(size=4000)
    whole = inside == length + 1
    memory.content[0][:] = 5
    memory.play(requests("ar", burst(address, length)))
    response = OKAY if whole else DECODE_ERROR
    data = 0x0505_0505_0505_0505 if whole else 0xDEDE_DEDE_DEDE_DEDE
    assert memory.read[0] == [(0, data, response, i == length) for i in range(length + 1)]
    memory.play(requests("aw", burst(address, length)))
    assert memory.answered[0] == [(0, response)]
    written = memory.content[0].view("<u8")[max(0, address // 8) :][:inside]
    assert written.tolist() == list(range(1, inside + 1))
    assert (
        memory.content[0].view("<u8").sum(dtype=object)
        == sum(range(1, inside + 1)) + (500 - inside) * 0x0505_0505_0505_0505
    )
    memory.play(requests("ar", burst(8)))
    assert memory.read[0][-1][2] == OKAY
