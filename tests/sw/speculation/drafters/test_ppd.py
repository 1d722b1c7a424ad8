import numpy as np
import pytest
from fake_device import CONFIG, EOS, FakeDevice
from oracle_device import OracleDevice

from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.runtime import GenerationConfig, Generator
from tercel.sampling import SamplingConfig
from tercel.speculation import PROBE, ROOT, DraftBudget, DraftState, FixedSize, Speculator
from tercel.speculation.drafter_file import DrafterFile, load_drafter, save_drafter
from tercel.speculation.drafters.ppd import PromptDecoding
from tercel.speculation.drafters.probe_guesses import RANKS

GREEDY = 0.9 * 0.2 ** np.arange(RANKS) * np.array([[1.0], [0.9], [0.8]])
SAMPLED = GREEDY * 0.6
BUDGET = DraftBudget(nodes=7, depth=7)


def rows_of(width, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, (3, width)).astype(np.float32)


def make_drafter(width=CONFIG.hidden_size, costs=(1.0,) * 8, rows=None):
    rows = rows_of(width) if rows is None else rows
    return PromptDecoding(rows=rows, greedy=GREEDY, sampled=SAMPLED, costs=costs)


def tokens_of(device, tokenizer, config, drafter=None):
    speculator = Speculator((drafter,), controller=FixedSize(7)) if drafter else None
    generator = Generator(device, tokenizer, speculator)
    return [piece.token for piece in generator.generate("abc", config)], generator.statistics


def test_right_guesses_are_accepted_and_followed_by_new_ones(tokenizer):
    script = [*b"abc", *b"defghijklmnopqrstuvwxyz", *[EOS] * 30]
    device = OracleDevice(script=script, nodes=8)
    found, statistics = tokens_of(device, tokenizer, GenerationConfig(), make_drafter())
    assert bytes(found[:-1]) == b"defghijklmnopqrstuvwxyz"
    assert found[-1] == EOS
    assert device.rows == 3
    rounds = statistics.speculation
    assert rounds.failures == 0
    # The first round has prompt tokens alone: one token. Each later one has at least a candidate.
    assert rounds.accepted[0] == rounds.rounds - 1
    assert rounds.tokens_per_round > 2


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("top_k", [0, 5])
def test_the_text_is_that_of_plain_decoding(tokenizer, temperature, top_k):
    config = GenerationConfig(
        sampling=SamplingConfig(temperature=temperature, top_k=top_k, seed=5),
        max_tokens=24,
        ignore_eos=True,
    )
    expected, _ = tokens_of(FakeDevice(), tokenizer, config)
    device = OracleDevice(nodes=8)
    found, statistics = tokens_of(device, tokenizer, config, make_drafter())
    assert found == expected
    assert statistics.speculation.failures == 0


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_prompt_tokens_leave_the_text_of_a_model_alone(tmp_path, tokenizer, temperature):
    path = tmp_path / "tiny.tercel"
    config = CONFIG
    random_image(path, config, seed=2)
    image = Image.open(path)
    generation = GenerationConfig(
        sampling=SamplingConfig(temperature=temperature, seed=4), max_tokens=16, ignore_eos=True
    )
    plain = EmulatorDevice(image, context=64)
    expected, _ = tokens_of(plain, tokenizer, generation)
    device = EmulatorDevice(image, context=64)
    drafter = make_drafter(width=config.hidden_size)
    found, statistics = tokens_of(device, tokenizer, generation, drafter)
    assert found == expected
    assert statistics.speculation.failures == 0
    assert statistics.speculation.drafted > 0
    assert device.length == plain.length
    for layer in range(config.layers):  # no row of a prompt token stays in the cache
        a, b = (d.read_cache(layer, d.length) for d in (device, plain))
        np.testing.assert_array_equal(a.keys, b.keys)
        np.testing.assert_array_equal(a.values, b.values)


def state(temperature=0.0, position=9, seed=1):
    return DraftState(
        tokens=[1, 2],
        position=position,
        sampling=SamplingConfig(temperature=temperature, seed=seed),
    )


def test_without_guesses_prompt_tokens_stand_behind_the_root():
    tree = make_drafter().propose(state(), BUDGET)
    assert tree.tokens == (PROBE, PROBE, PROBE)
    assert tree.parents == (ROOT, 0, 1)
    assert list(tree.rows) == [0, 1, 2]


def test_a_short_budget_makes_a_shallow_tree():
    drafter = make_drafter()
    assert len(drafter.propose(state(), DraftBudget(nodes=2, depth=7))) == 2
    assert drafter.propose(state(), DraftBudget(nodes=7, depth=1)).depths == [1]


def test_the_size_follows_the_costs():
    assert len(make_drafter(costs=(1, 5, 9)).propose(state(), BUDGET)) == 0
    assert len(make_drafter(costs=(1, 1, 9)).propose(state(), BUDGET)) == 1


def test_a_file_gives_the_drafter_back(tmp_path):
    path = tmp_path / "tiny.tercel"
    random_image(path, CONFIG, seed=2)
    image = Image.open(path)
    rows = rows_of(CONFIG.hidden_size)
    chances = {"acceptance.greedy": GREEDY, "acceptance.sampled": SAMPLED}
    chances = {name: array.astype(np.float32) for name, array in chances.items()}
    file = tmp_path / "tiny.ppd.drafter"
    save_drafter(file, kind="ppd", image=image, tensors={"rows": rows, **chances}, settings={})
    loaded = load_drafter(file, kind="ppd", image=image)
    drafter = PromptDecoding.from_file(loaded, costs=(1.0,) * 8)
    tree = drafter.propose(state(), BUDGET)
    np.testing.assert_array_equal(np.stack(list(tree.rows.values())), rows)


@pytest.mark.parametrize(
    ("greedy", "message"),
    [
        (GREEDY[:, 1:], "chances of the shape"),
        (GREEDY[1:], "chances of the shape"),
        (GREEDY * 2, r"chances must be in 0\.\.1"),
        (GREEDY * np.nan, r"chances must be in 0\.\.1"),
    ],
)
def test_bad_chances_are_refused(greedy, message):
    with pytest.raises(TercelError, match=message):
        PromptDecoding(rows=rows_of(8), greedy=greedy, sampled=SAMPLED, costs=(1.0,))


def test_a_file_without_a_tensor_is_refused():
    file = DrafterFile(tensors={"rows": rows_of(8), "acceptance.greedy": GREEDY}, settings={})
    with pytest.raises(TercelError, match=r"lack the tensor 'acceptance\.sampled'; train them"):
        PromptDecoding.from_file(file, costs=(1.0,))
