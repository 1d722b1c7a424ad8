import numpy as np
import pytest
from fake_device import CONFIG, EOS
from oracle_device import OracleDevice

from tercel.errors import TercelError
from tercel.runtime import GenerationConfig, Generator
from tercel.sampling import SamplingConfig
from tercel.speculation import PROBE, ROOT, DraftBudget, DraftState, FixedSize, Speculator
from tercel.speculation.drafter_file import DrafterFile
from tercel.speculation.drafters.sdsat import AdaptiveTokens

ROWS = np.random.default_rng(0).normal(0, 0.1, (3, CONFIG.hidden_size)).astype(np.float32)
BUDGET = DraftBudget(nodes=7, depth=7)
STATE = DraftState(tokens=[1, 2], position=9, sampling=SamplingConfig())


def generate(device, tokenizer, config, drafter=None):
    speculator = Speculator((drafter,), controller=FixedSize(7)) if drafter else None
    generator = Generator(device, tokenizer, speculator)
    tokens = [piece.token for piece in generator.generate("abc", config)]
    return tokens, generator.statistics.speculation


class Recording(AdaptiveTokens):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.trees = []

    def propose(self, state, budget):
        self.trees.append(super().propose(state, budget))
        return self.trees[-1]


def test_a_pass_that_guesses_and_a_pass_that_verifies_take_turns(tokenizer):
    script = [*b"abc", *b"defghijklmnopqrstuvwxyz", *[EOS] * 30]
    drafter = Recording(ROWS)
    found, rounds = generate(
        OracleDevice(script=script, nodes=8), tokenizer, GenerationConfig(), drafter
    )
    assert bytes(found[:-1]) == b"defghijklmnopqrstuvwxyz"
    assert rounds.failures == 0
    assert [tree.tokens for tree in drafter.trees[:3]] == [
        (PROBE,) * 3,
        tuple(b"fgh"),  # d came with the prompt, e with the guesses
        (PROBE,) * 3,
    ]
    assert all(tree.parents == (ROOT, 0, 1) for tree in drafter.trees[:3])
    # Two passes give two tokens and the accepted ones.
    assert rounds.emitted == pytest.approx(2.5 * rounds.rounds, abs=3)


@pytest.mark.parametrize("temperature", [0.0, 0.9])
@pytest.mark.parametrize("widths", [None, (2, 2, 1)])
def test_the_text_is_that_of_plain_decoding(tokenizer, temperature, widths):
    config = GenerationConfig(
        sampling=SamplingConfig(temperature=temperature, seed=5), max_tokens=24, ignore_eos=True
    )
    expected, _ = generate(OracleDevice(nodes=8), tokenizer, config)
    found, rounds = generate(OracleDevice(nodes=8), tokenizer, config, AdaptiveTokens(ROWS, widths))
    assert found == expected
    assert rounds.failures == 0


def test_the_fixed_tree_has_its_widths_and_its_likeliest_path_first(tokenizer):
    script = [*b"abc", *b"defghijklmnopqrstuvwxyz", *[EOS] * 30]
    drafter = Recording(ROWS, (2, 2, 1))
    generate(OracleDevice(script=script, nodes=8), tokenizer, GenerationConfig(), drafter)
    tree = drafter.trees[1]
    # 2 nodes, 4 behind them, and of the third depth the one that still fits.
    assert len(tree) == 7
    assert tree.tokens[:3] == tuple(b"fgh")
    assert tree.parents == (ROOT, 0, 1, 0, ROOT, 4, 4)
    assert tree.depths == [1, 2, 3, 2, 1, 2, 2]


def test_drafts_are_within_the_budget():
    assert len(AdaptiveTokens(ROWS).propose(STATE, DraftBudget(nodes=2, depth=9))) == 2
    assert len(AdaptiveTokens(ROWS).propose(STATE, DraftBudget(nodes=7, depth=1))) == 1


def test_widths_fit_the_rows():
    with pytest.raises(TercelError, match="3 adaptive tokens need as many widths, not 2"):
        AdaptiveTokens(ROWS, (1, 1))
    with pytest.raises(TercelError, match=r"widths must be in 1\.\.10"):
        AdaptiveTokens(ROWS, (1, 0, 1))


def test_a_file_gives_the_drafter_back():
    drafter = AdaptiveTokens.from_file(DrafterFile(tensors={"rows": ROWS}, settings={}))
    tree = drafter.propose(STATE, BUDGET)
    np.testing.assert_array_equal(np.stack(list(tree.rows.values())), ROWS)
    with pytest.raises(TercelError, match="lack the tensor 'rows'; train them again"):
        AdaptiveTokens.from_file(DrafterFile(tensors={}, settings={}))
