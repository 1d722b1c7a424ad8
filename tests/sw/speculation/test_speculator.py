"""Rounds of adversarial drafters: the text stays that of plain decoding."""

import itertools
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from fake_device import CONFIG, EOS, FakeDevice

from tercel.device import PassInterruptedError
from tercel.errors import TercelError
from tercel.runtime import GenerationConfig, Generator
from tercel.sampling import Distribution, SamplingConfig
from tercel.speculation import (
    PROBE,
    ROOT,
    Acceptor,
    Agreement,
    Controller,
    Drafter,
    DraftPlan,
    DraftTree,
    FixedSize,
    Outcome,
    PassNeeds,
    Speculator,
)
from tercel.speculation.acceptors import Rejection


class Foresight(Drafter):
    """Knows the text; ``change`` turns the right path into a tree."""

    def __init__(self, text, change):
        self._text, self._change = text, change
        self.rounds = []

    def propose(self, state, budget):
        at = len(state.tokens)
        assert list(state.tokens) == self._text[:at]
        return self._change(self._text[at : at + min(budget.nodes, budget.depth)])

    def observe(self, round):
        self.rounds.append(round)


def wrong_at(depth):
    def change(right):
        return DraftTree.chain(tuple(token ^ (index == depth) for index, token in enumerate(right)))

    return change


def twins(right):
    """Two equal siblings; the second has the right successor."""
    if len(right) < 2:
        return DraftTree()
    return DraftTree(tokens=(right[0], right[0], right[1]), parents=(ROOT, ROOT, 1))


def late(right):
    """The right path comes last, behind a wrong sibling."""
    tokens = (right[0] ^ 1, *right)[: len(right)]
    return DraftTree(tokens=tokens, parents=(ROOT, ROOT, *range(1, len(tokens) - 1))[: len(tokens)])


def fail(right):
    raise KeyError("a fault of the drafter")


def probe(row):
    return DraftTree(tokens=(PROBE,), parents=(ROOT,), rows={0: row})


CHANGES = {
    "right": lambda right: DraftTree.chain(tuple(right)),
    "always wrong": wrong_at(0),
    "wrong second": wrong_at(1),
    "twins": twins,
    "late": late,
    "empty": lambda right: DraftTree(),
    "end inside": lambda right: DraftTree.chain((right[0], EOS, *right[2:])[: len(right)]),
    "too many": lambda right: DraftTree.chain((*right, *right)),
    "too deep": lambda right: DraftTree.chain((*right, 1)),
    "foreign": lambda right: DraftTree.chain((right[0], 257)[: len(right)]),
    "negative": lambda right: DraftTree.chain((-7,)),
    "float": lambda right: DraftTree.chain((1.5,)),
    "fault": fail,
    "wide row": lambda right: probe(np.zeros(CONFIG.hidden_size + 1, np.float32)),
    "row with NaN": lambda right: probe(np.full(CONFIG.hidden_size, np.nan, np.float32)),
}
FAULTY = {"too many", "too deep", "foreign", "negative", "float", "fault"}
FAULTY |= {"wide row", "row with NaN"}


def tokens_of(generator, prompt, config):
    return [piece.token for piece in generator.generate(prompt, config)]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("change", CHANGES)
def test_the_text_does_not_depend_on_the_draft(tokenizer, change, temperature):
    config = GenerationConfig(
        sampling=SamplingConfig(temperature=temperature, seed=3), max_tokens=20, ignore_eos=True
    )
    plain = FakeDevice(nodes=6)
    expected = tokens_of(Generator(plain, tokenizer), "abc", config)
    text = [*b"abc", *expected, *[0] * 20]
    drafter = Foresight(text, CHANGES[change])
    device = FakeDevice(nodes=6)
    generator = Generator(device, tokenizer, Speculator([drafter], controller=FixedSize(5)))
    assert tokens_of(generator, "abc", config) == expected
    assert device.sequence == plain.sequence
    found = generator.statistics.speculation
    assert found.emitted == 19
    assert (found.failures > 0) == (change in FAULTY)
    if change == "right":
        assert found.rounds == 4  # 6 + 6 + 6 + 1 tokens
        assert found.accepted == (3, 3, 3, 3, 3)
    if change == "always wrong":
        assert found.rounds == 19


@pytest.mark.parametrize("end", [3, 5, 8])
def test_an_end_inside_an_accepted_path_ends_the_text(tokenizer, end):
    script = [*b"abc", *b"defghijk"[:end], *[EOS] * 40]
    device = FakeDevice(script=script, nodes=6)
    drafter = Foresight(script, CHANGES["right"])
    generator = Generator(device, tokenizer, Speculator([drafter], controller=FixedSize(5)))
    pieces = list(generator.generate("abc"))
    assert "".join(piece.text for piece in pieces) == "defghijk"[:end]
    assert pieces[-1].token == EOS
    assert generator.finish_reason == "eos"
    assert device.sequence == script[: 3 + end]  # the end token waits
    # the next turn continues behind the end token
    assert tokens_of(generator, "x", GenerationConfig(max_tokens=1)) == [EOS]
    assert device.sequence == [*script[: 4 + end], ord("x")]


def test_a_stop_string_inside_an_accepted_path_cuts_it(tokenizer):
    script = [*b"one two three four", *[EOS] * 30]
    device = FakeDevice(script=script, nodes=8)
    speculator = Speculator([Foresight(script, CHANGES["right"])], controller=FixedSize(7))
    generator = Generator(device, tokenizer, speculator)
    config = GenerationConfig(stop=("o th",))
    assert "".join(piece.text for piece in generator.generate("one", config)) == " tw"
    assert generator.finish_reason == "stop"
    assert bytes(device.sequence) == b"one two t"


def test_a_full_context_and_a_limit_are_met_exactly(tokenizer):
    script = [*b"a" * 80]
    for most, context, tokens, reason in ((7, 64, 7, "length"), (None, 16, 14, "context")):
        device = FakeDevice(script=script, nodes=6, context=context)
        speculator = Speculator([Foresight(script, CHANGES["right"])], controller=FixedSize(5))
        generator = Generator(device, tokenizer, speculator)
        found = tokens_of(generator, "aaa", GenerationConfig(max_tokens=most))
        assert (len(found), generator.finish_reason) == (tokens, reason)
        assert generator.statistics.speculation.failures == 0


@pytest.mark.parametrize("shown", [1, 2, 3, 4])
@pytest.mark.parametrize("how", ["close", "interrupt"])
def test_the_sequence_has_the_tokens_that_were_shown(tokenizer, shown, how):
    script = [*b"abcdefghijklmnopqrstuvwxyz", *[EOS] * 40]
    device = FakeDevice(script=script, nodes=6)
    drafter = Foresight(script, CHANGES["right"])
    generator = Generator(device, tokenizer, Speculator([drafter], controller=FixedSize(5)))
    pieces = generator.generate("abc")
    seen = []
    for piece in pieces:
        seen.append(piece.token)
        if len(seen) == shown:
            if how == "close":
                pieces.close()
                break
            generator.interrupt()
    assert seen == script[3 : 3 + shown]
    if how == "interrupt":
        assert generator.finish_reason == "interrupted"
    assert device.sequence == script[: 2 + shown]
    assert generator.statistics.generated_tokens == shown
    # the first token is that of a plain round, which a drafter sees only before it drafts
    assert sum(len(round.tokens) for round in drafter.rounds) == (shown if shown > 1 else 0)
    text = "".join(chr(token) for token in script[3 + shown : 10 + shown])
    script.insert(3 + shown, ord("!"))
    following = generator.generate("!", GenerationConfig(max_tokens=7))
    assert "".join(piece.text for piece in following) == text


def test_an_interrupt_of_a_drafter_ends_the_text(tokenizer):
    def interrupt(right):
        raise PassInterruptedError

    device = FakeDevice(script=[*b"a" * 60])
    speculator = Speculator([Foresight([*b"a" * 60], interrupt)], controller=FixedSize(3))
    generator = Generator(device, tokenizer, speculator)
    assert len(tokens_of(generator, "aa", GenerationConfig(max_tokens=9))) == 1
    assert generator.finish_reason == "interrupted"


def test_needs_reach_the_pass_and_results_the_drafter(tokenizer):
    class Curious(Foresight):
        needs = PassNeeds(top_k=4)

    script = [*b"a" * 60]
    drafter = Curious(script, CHANGES["right"])
    device = FakeDevice(script=script, nodes=4)
    generator = Generator(device, tokenizer, Speculator([drafter], controller=FixedSize(3)))
    tokens_of(generator, "aa", GenerationConfig(max_tokens=9))
    assert all(ask.top_k == 4 for ask in device.asks)
    for round in drafter.rounds:
        assert round.verdict.result.top_ids.shape[1] == 4
        assert round.verdict.result.top_ids[round.last_node, 0] == ord("a")


def test_a_reset_reaches_the_drafter(tokenizer):
    class Counting(Foresight):
        resets = 0

        def reset(self):
            self.resets += 1

    drafter = Counting([], CHANGES["empty"])
    Generator(FakeDevice(), tokenizer, Speculator([drafter])).reset()
    assert drafter.resets == 1


def test_an_interrupt_reaches_the_drafter(tokenizer):
    class Counting(Foresight):
        interrupts = 0

        def interrupt(self):
            self.interrupts += 1

    drafter = Counting([], CHANGES["empty"])
    Generator(FakeDevice(), tokenizer, Speculator([drafter])).interrupt()
    assert drafter.interrupts == 1


@pytest.mark.parametrize("seconds", [None, 1234.5])
def test_a_round_has_the_devices_own_time_of_its_pass(tokenizer, seconds):
    class Timed(FakeDevice):
        def _run(self, request, rows):
            return replace(super()._run(request, rows), seconds=seconds)

    generator = Generator(Timed(), tokenizer)
    tokens_of(generator, "aa", GenerationConfig(max_tokens=3, ignore_eos=True))
    found = generator.statistics.speculation.verify_seconds
    assert found == 2469 if seconds else 0 < found < 1


def test_the_device_is_asked_for_what_sampling_needs_of_every_node(tokenizer):
    script = [*b"a" * 60]
    device = FakeDevice(script=script, nodes=4)
    speculator = Speculator([Foresight(script, CHANGES["right"])], controller=FixedSize(3))
    config = GenerationConfig(sampling=SamplingConfig(temperature=0.5), max_tokens=6)
    tokens_of(Generator(device, tokenizer, speculator), "aa", config)
    assert [ask.logits for ask in device.asks] == [(1,), (0, 1, 2, 3), (0,)]
    assert CONFIG.vocab_size == 257
    assert np.all([not ask.argmax for ask in device.asks])


def test_a_drafter_that_fails_to_learn_drafts_no_more(tokenizer):
    class Forgetful(Foresight):
        def observe(self, round):
            super().observe(round)
            if len(self.rounds) == 2:
                raise IndexError("lost")

    script = [*b"a" * 60]
    drafter = Forgetful(script, CHANGES["right"])
    device = FakeDevice(script=script, nodes=4)
    generator = Generator(device, tokenizer, Speculator([drafter], controller=FixedSize(3)))
    tokens = tokens_of(generator, "aa", GenerationConfig(max_tokens=9))
    assert tokens == [ord("a")] * 9
    found = generator.statistics.speculation
    assert (found.drafts, found.rounds, found.failures) == (
        1,
        5,
        3,
    )  # the last has no room for a draft
    generator.reset()
    drafter.rounds.clear()
    tokens_of(generator, "aa", GenerationConfig(max_tokens=5))
    assert generator.statistics.speculation.failures == 0


@pytest.mark.parametrize("error", [PassInterruptedError, KeyboardInterrupt])
def test_a_round_is_kept_once_if_learning_is_interrupted(tokenizer, error):
    class Slow(Foresight):
        def observe(self, round):
            super().observe(round)
            if len(self.rounds) == 2:
                raise error

    script = [*b"abcdefghijklmnopqrstuvwxyz" * 2]
    device = FakeDevice(script=script, nodes=4)
    drafter = Slow(script, CHANGES["right"])
    generator = Generator(device, tokenizer, Speculator([drafter], controller=FixedSize(3)))
    shown = []
    with suppress(KeyboardInterrupt):
        for piece in generator.generate("ab", GenerationConfig(max_tokens=9)):
            shown.append(piece.token)
    rest = tokens_of(generator, "", GenerationConfig(max_tokens=9))
    kept = [*b"ab", *b"c", *b"defg"]
    assert device.sequence[: len(kept)] == kept
    if error is PassInterruptedError:
        assert [*shown, *rest] == script[2:20]
    else:
        assert [*shown, ord("g"), *rest] == script[2 : 3 + 4 + 9]


class Scheduled(Controller):
    """Alternates between plain rounds and two drafters; verifies the first node alone."""

    def __init__(self):
        self.plans = iter([None, 0, 1] * 20)
        self.seen = []

    def plan(self, most):
        drafter = next(self.plans)
        return None if drafter is None else DraftPlan(drafter=drafter, budget=most)

    def prune(self, tree, plan, *, waiting, spent):
        assert waiting == 1
        assert spent == 3.0
        return tree.select([0])

    def observe(self, round):
        self.seen.append((round.drafter, round.nodes, round.draft_seconds))


def test_the_controller_chooses_the_drafter_and_prunes(tokenizer):
    script = [*b"a" * 60]
    drafters = [Foresight(script, CHANGES["right"]), Foresight(script, CHANGES["always wrong"])]
    controller = Scheduled()
    clock = itertools.count(0.0, 3.0)
    speculator = Speculator(drafters, controller=controller, clock=lambda: next(clock))
    generator = Generator(FakeDevice(script=script, nodes=4), tokenizer, speculator)
    tokens_of(generator, "aa", GenerationConfig(max_tokens=6))
    # the first round reads the prompt, then one token, two, one, one; a drafter learns for 3 s
    assert controller.seen == [
        (None, 2, 3.0),
        (None, 1, 3.0),
        (0, 2, 9.0),
        (1, 2, 9.0),
        (None, 1, 3.0),
    ]
    # each saw the round before its own, and its own
    assert [[round.drafter for round in each.rounds] for each in drafters] == [[None, 0], [0, 1]]
    assert [[round.end for round in each.rounds] for each in drafters] == [[3, 5], [5, 6]]


def test_a_drafter_sees_no_round_before_another_prompt(tokenizer):
    class Asking(Agreement):
        """Asks the first drafter where there is no room for a draft."""

        needs_predictions = True

    class Second(FixedSize):
        def plan(self, most):
            return DraftPlan(drafter=1, budget=most)

    script = [*b"ab" * 60]
    drafters = [Foresight(script, CHANGES["empty"]), Foresight(script, CHANGES["right"])]
    drafters[0].gives_predictions = True
    speculator = Speculator(drafters, Asking(), Second(3))
    generator = Generator(FakeDevice(script=script, nodes=4), tokenizer, speculator)
    tokens_of(generator, "ab", GenerationConfig(max_tokens=5))
    tokens_of(generator, "ab", GenerationConfig(max_tokens=1))
    # both prompts were read by rounds of the first; the last round before the second was not shown
    assert [round.end for round in drafters[0].rounds] == [2, 9]
    assert [round.end for round in drafters[1].rounds] == [2, 6]


class Counted(Acceptor):
    """Agreement with a state: the number of tokens of the text, and the states it was given."""

    lossless = True
    first_state = 0

    def __init__(self):
        self.given = []

    def accept(self, verdict):
        outcome = Agreement().accept(verdict)
        self.given.append((len(verdict.text), verdict.state))
        states = tuple(verdict.state + 1 + index for index in range(len(outcome.tokens)))
        return Outcome(path=outcome.path, tokens=outcome.tokens, states=states)


def test_the_state_of_an_acceptor_follows_the_tokens_that_were_kept(tokenizer):
    script = [*b"abcdefghijklmnopqrstuvwxyz", *[EOS] * 40]
    acceptor = Counted()
    speculator = Speculator([Foresight(script, CHANGES["right"])], acceptor, FixedSize(5))
    generator = Generator(FakeDevice(script=script, nodes=6), tokenizer, speculator)
    for seen, _ in enumerate(generator.generate("abc"), 1):
        if seen == 5:  # one token of the prompt's pass, then four of six
            generator.interrupt()
    script.insert(8, ord("!"))
    assert len(tokens_of(generator, "!", GenerationConfig(max_tokens=8))) == 8
    assert acceptor.given == [(3, 0), (4, 1), (9, 5), (10, 6), (16, 12)]
    generator.reset()
    tokens_of(generator, "abc", GenerationConfig(max_tokens=1))
    assert acceptor.given[-1] == (3, 0)


def test_an_outcome_that_is_no_path_ends_the_text(tokenizer):
    class Greedy(Acceptor):
        lossless = False

        def accept(self, verdict):
            return Outcome(path=(), tokens=(1, 2))

    generator = Generator(FakeDevice(), tokenizer, Speculator(acceptor=Greedy()))
    with pytest.raises(TercelError, match="a path of 0 nodes gives 1 tokens, not 2"):
        tokens_of(generator, "a", GenerationConfig(max_tokens=3))


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("acceptor", [Agreement(), Rejection()])
def test_draws_are_not_pruned_for_a_rule_that_reads_their_distribution(tokenizer, drawn, acceptor):
    class Pruning(FixedSize):
        def prune(self, tree, plan, *, waiting, spent):
            return tree.select([])

    def draw(right):
        proposals = {ROOT: Distribution.certain(right[0])} if drawn else {}
        return DraftTree(tokens=(right[0],), parents=(ROOT,), proposals=proposals)

    speculator = Speculator([Foresight([*b"a" * 60], draw)], acceptor, Pruning(3))
    generator = Generator(FakeDevice(script=[*b"a" * 60]), tokenizer, speculator)
    tokens_of(generator, "aa", GenerationConfig(max_tokens=6))
    pruned = not (drawn and acceptor.reads_proposals)
    assert generator.statistics.speculation.drafted == (0 if pruned else 2)


def test_a_rule_that_chooses_asks_its_drafter_in_every_round(tokenizer):
    class Chooser(Counted):
        needs_predictions = True

        def accept(self, verdict):
            assert ROOT in verdict.tree.predictions
            return super().accept(verdict)

    def predict(right):
        tokens = tuple(right)
        parents = tuple(range(ROOT, len(tokens) - 1))
        predictions = {ROOT: Distribution.certain(1)}
        return DraftTree(tokens=tokens, parents=parents, predictions=predictions)

    script = [*b"a" * 60]
    drafter = Foresight(script, predict)
    with pytest.raises(TercelError, match="an expert that drafts, but there is none; take `--spec"):
        Speculator([drafter], Chooser(), FixedSize(3))
    drafter.gives_predictions = True
    speculator = Speculator([drafter], Chooser(), FixedSize(3))
    generator = Generator(FakeDevice(script=script, nodes=4), tokenizer, speculator)
    assert len(tokens_of(generator, "aa", GenerationConfig(max_tokens=10))) == 10
    # the prompt's pass and the last token have no room for a draft
    assert [len(round.verdict.tree) for round in drafter.rounds] == [0, 3, 3, 0]
    with pytest.raises(TercelError, match="an expert that drafts, but there is none; take `--spec"):
        Speculator(acceptor=Chooser())


def test_no_row_is_moved_in_the_cache(tokenizer, monkeypatch):
    """Accepted tokens behind a wrong sibling are nodes of the next pass again."""

    def move(device, path):
        raise AssertionError(f"rows of {path} are moved")

    monkeypatch.setattr(FakeDevice, "_move", move)
    script = [*b"abcdefghijklmnopqrstuvwxyz", *[EOS] * 40]
    device = FakeDevice(script=script, nodes=5)
    sizes = []
    run = device._run

    def record(request, rows):
        sizes.append(request.nodes)
        return run(request, rows)

    monkeypatch.setattr(device, "_run", record)
    speculator = Speculator([Foresight(script, late)], controller=FixedSize(4))
    tokens = tokens_of(
        Generator(device, tokenizer, speculator), "abc", GenerationConfig(max_tokens=9)
    )
    assert tokens == script[3:12]
    # the prompt; a root and four drafts, three of them accepted behind a gap; these three, the root
    # and a draft; the root and two drafts, one accepted; this one and the root
    assert sizes == [3, 5, 5, 3, 2]
