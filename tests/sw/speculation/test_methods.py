import numpy as np
import pytest
from fake_device import FakeDevice

from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import find_model
from tercel.speculation import Agreement, PassNeeds, methods
from tercel.speculation.draft_tree import DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter
from tercel.speculation.drafter_file import MissingDrafterError
from tercel.speculation.methods import (
    METHODS,
    DraftSources,
    Method,
    open_drafters,
    open_speculator,
)


class Echo(Drafter):
    def propose(self, state, budget):
        self.budget = budget
        return DraftTree()


def missing(sources):
    raise MissingDrafterError("train it first")


def damaged(sources):
    raise TercelError("copy it again")


class TopTen(Agreement):
    needs = PassNeeds(top_k=10)


@pytest.fixture
def sources(monkeypatch):
    monkeypatch.setitem(METHODS, "echo", Method(summary="", open=lambda sources: Echo()))
    monkeypatch.setitem(METHODS, "missing", Method(summary="", open=missing))
    monkeypatch.setitem(METHODS, "damaged", Method(summary="", open=damaged))
    return DraftSources(image=None, device=FakeDevice(nodes=6))


def drafters(speculator):
    return [type(each).__name__ for each in speculator._drafters]


def test_a_named_method_always_drafts(sources):
    for nodes, found in ((None, 5), (3, 3)):
        speculator = open_speculator("echo", sources, draft_nodes=nodes)
        assert drafters(speculator) == ["Echo"]
        plan = speculator._controller.plan(DraftBudget(nodes=9, depth=9))
        assert plan.budget.nodes == found


@pytest.mark.parametrize(("method", "nodes"), [("none", None), ("echo", 0), ("auto", 0)])
def test_nothing_to_draft_is_plain_decoding(sources, monkeypatch, method, nodes):
    monkeypatch.setattr(methods, "AUTOMATIC", (("echo",),))
    speculator = open_speculator(method, sources, draft_nodes=nodes)
    assert speculator._controller.plan(DraftBudget(nodes=9, depth=9)) is None


def test_auto_takes_what_is_there(sources, monkeypatch):
    notes = []
    monkeypatch.setattr(methods, "AUTOMATIC", (("missing",), ("missing", "echo", "echo")))
    assert drafters(open_speculator("auto", sources, note=notes.append)) == ["Echo"]
    monkeypatch.setattr(methods, "AUTOMATIC", (("missing",),))
    assert drafters(open_speculator("auto", sources, note=notes.append)) == []
    assert notes == []


def test_auto_does_without_a_damaged_part_and_says_so_once(sources, monkeypatch):
    notes = []
    monkeypatch.setattr(methods, "AUTOMATIC", (("damaged",), ("damaged", "echo")))
    assert drafters(open_speculator("auto", sources, note=notes.append)) == ["Echo"]
    assert notes == ["copy it again"]


def test_an_acceptor_that_needs_more_than_the_device_gives_is_refused(sources):
    assert drafters(open_speculator("echo", sources, acceptor=TopTen())) == ["Echo"]
    small = DraftSources(image=None, device=FakeDevice(top_k=9))
    with pytest.raises(TercelError, match="needs the 10 highest logits, but the device gives 9"):
        open_speculator("echo", small, acceptor=TopTen())


def test_what_is_missing_is_told(sources):
    with pytest.raises(TercelError, match="train it first"):
        open_speculator("missing", sources)
    with pytest.raises(TercelError, match="there is no method 'x' of speculation, only auto, none"):
        open_speculator("x", sources)
    with pytest.raises(TercelError, match="a draft has 0 or more nodes, not -1"):
        open_speculator("echo", sources, draft_nodes=-1)


def test_every_method_has_a_summary_of_one_line():
    for method in METHODS.values():
        assert len(method.summary.splitlines()) == 1


def test_the_heads_of_auto_share_their_arrays():
    image = Image.open(find_model("small"))
    head, union = open_drafters("auto", DraftSources(image=image, device=EmulatorDevice(image)))
    part = union._parts[1]
    assert part is not head
    assert part._head is head._head
    assert part._cells is head._cells
    head._input = np.zeros(8, np.float32)
    assert part._input is None
