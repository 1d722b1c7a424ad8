"""Acceptors with known faults: every fault is found by the law, the check or the text."""

from dataclasses import dataclass

import pytest
from exact_law import (
    ExactVerdict,
    drawn_chain,
    emitted_law,
    exact,
    fixed_tree,
    plain_law,
    target,
    total_variation,
)
from fake_device import FakeDevice

from tercel.errors import TercelError
from tercel.runtime import GenerationConfig, Generator
from tercel.speculation import (
    ROOT,
    Acceptor,
    Agreement,
    Drafter,
    DraftTree,
    FixedSize,
    Outcome,
    Round,
    Speculator,
)
from tercel.speculation.acceptors import BlockVerification, Boundary, Rejection, TruncateAt


class Judged(Acceptor):
    """A rule that sees another verdict than it should."""

    lossless = True

    def __init__(self, inner, kind):
        self._inner, self._kind = inner, kind

    def accept(self, verdict):
        return self._inner.accept(self._kind(**vars(verdict)))


class OneStream(ExactVerdict):
    """The same number for all draws at a position."""

    def uniform(self, node, stream):
        return super().uniform(node, "the only one")


class PositionStreams(ExactVerdict):
    """Tests of a block belong to the judged position, so that two rounds share them."""

    def uniform(self, node, stream):
        depth = int(stream.split()[-1]) if stream.startswith("block accept") else 0
        return self.branch.uniform((self.position_of(node) + depth, stream[:12]))


class ShiftedRow(ExactVerdict):
    """The row after the node's own."""

    def distribution(self, node):
        return super().distribution(min(node + 1, len(self.tree) - 1))


class FreshDraws(ExactVerdict):
    """Every round draws with noise of its own."""

    def draw(self, node):
        return self.branch.draw(
            self.distribution(node), (self.position_of(node), self.round, "draw")
        )


class DrawsPerPath(Acceptor):
    """Draws along every path anew; the longest agreement wins."""

    lossless = True

    def accept(self, verdict):
        tree = verdict.tree
        leaves = [node for node in range(len(tree)) if not tree.children(node)] or [ROOT]
        outcomes = [self._follow(verdict, leaf) for leaf in leaves]
        return max(outcomes, key=lambda outcome: len(outcome.path))

    def _follow(self, verdict, leaf):
        tree, nodes = verdict.tree, [leaf]
        while nodes[0] != ROOT:
            nodes.insert(0, tree.parents[nodes[0]])
        tokens = []
        for index, node in enumerate(nodes):
            key = (verdict.position_of(node), "path", leaf)
            tokens.append(verdict.branch.draw(verdict.distribution(node), key))
            following = nodes[index + 1 : index + 2]
            if not following or tree.tokens[following[0]] != tokens[-1]:
                return Outcome(path=tuple(nodes[1 : index + 1]), tokens=tuple(tokens))
        raise AssertionError


class NoBreak(Acceptor):
    """Rejection that goes on behind a rejected token, as if it had been accepted."""

    lossless = True

    def accept(self, verdict):
        path, tokens, rule = [], [], Rejection()
        for node in (ROOT, *range(len(verdict.tree))):
            child, token = rule.step(verdict, node)
            tokens.append(token)
            if child is not None:
                path.append(child)
        return Outcome(path=tuple(path), tokens=tuple(tokens[: len(path) + 1]))


class RowTooMany(Acceptor):
    """Agreement that also keeps the node behind the path."""

    lossless = True

    def accept(self, verdict):
        outcome = Agreement().accept(verdict)
        last = outcome.path[-1] if outcome.path else ROOT
        more = verdict.tree.children(last)[:1]
        return Outcome(path=(*outcome.path, *more), tokens=outcome.tokens)


@dataclass
class AfterTwo(Boundary):
    """A border follows every token 2."""

    def kept(self, text, tokens):
        return max((index for index, token in enumerate(tokens, 1) if token == 2), default=1)


LAWS = {
    "a number for several tests": (Judged(Rejection(), OneStream), drawn_chain(2)),
    "a block's number in two rounds": (
        Judged(BlockVerification(), PositionStreams),
        drawn_chain(2),
    ),
    "a shifted row": (Judged(Rejection(), ShiftedRow), drawn_chain(1)),
    "a shifted row, agreement": (Judged(Agreement(), ShiftedRow), fixed_tree),
    "draws per path": (DrawsPerPath(), fixed_tree),
    "fresh noise after truncation": (
        TruncateAt(AfterTwo(), Judged(Agreement(), FreshDraws)),
        fixed_tree,
    ),
}


@pytest.mark.parametrize("fault", LAWS)
def test_the_law_finds_a_fault(fault):
    acceptor, drafting = LAWS[fault]
    law = emitted_law(acceptor, target, drafting, tokens=2)
    assert total_variation(law, plain_law(target, tokens=2)) > 0  # both are exact


def test_fresh_noise_is_a_fault_with_truncation_alone():
    law = emitted_law(Judged(Agreement(), FreshDraws), target, fixed_tree, tokens=2)
    assert law == plain_law(target, tokens=2)


@pytest.mark.parametrize("acceptor", [NoBreak(), RowTooMany()])
def test_the_check_of_outcomes_finds_a_fault(acceptor):
    with pytest.raises(TercelError, match=r"does not follow node|a path of"):
        emitted_law(acceptor, lambda text: exact(1, 1), drawn_chain(2, target), tokens=2)


class Repeating(Drafter):
    def propose(self, state, budget):
        return DraftTree.chain((state.tokens[-1],) * budget.nodes)


def test_the_commit_finds_a_row_too_many(tokenizer, monkeypatch):
    """A cache with the node behind the path leaves no root for the next round."""
    config = GenerationConfig(max_tokens=12, ignore_eos=True)

    def text():
        device = FakeDevice(nodes=4)
        speculator = Speculator([Repeating()], controller=FixedSize(2))
        generator = Generator(device, tokenizer, speculator)
        tokens = [piece.token for piece in generator.generate("abc", config)]
        return tokens, device.sequence

    right, sequence = text()
    assert sequence == [*b"abc", *right[:-1]]
    kept, faults = Round.kept_nodes.fget, iter([1])

    def one_more(round):
        nodes = kept(round)
        fault = round.drafter == 0 and next(faults, 0)
        return [*nodes, nodes[-1] + 1] if fault else nodes

    monkeypatch.setattr(Round, "kept_nodes", property(one_more))
    with pytest.raises(TercelError, match="a path holds at least node 0"):
        text()
