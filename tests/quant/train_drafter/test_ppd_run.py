import numpy as np
import torch

from tercel.sampling import SamplingConfig
from tercel.speculation import DraftBudget, DraftState
from tercel.speculation.drafter_file import load_drafter
from tercel.speculation.drafters.ppd import PromptDecoding
from tercel_quant.train_drafter.own_text import OwnTextConfig
from tercel_quant.train_drafter.ppd_run import pieces, train_ppd
from tercel_quant.train_drafter.prompt_tokens import PromptTokenConfig

OWN = OwnTextConfig(tokens=8 * 24, sequences=8, prompt=6, length=24)
TRAINING = PromptTokenConfig(steps=3, windows=2, places=6)


def test_windows_are_cut_within_sequences():
    tokens = torch.arange(20).view(2, 10)
    assert pieces(tokens, 4).tolist() == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [10, 11, 12, 13],
        [14, 15, 16, 17],
    ]
    assert pieces(tokens, 99).tolist() == tokens.tolist()


def test_a_run_makes_a_file_that_drafts_and_is_repeated_bit_by_bit(image, text, tmp_path):
    found = []
    for name in ("one", "two"):
        output = tmp_path / f"{name}.drafter"
        chances = train_ppd(
            image, [text], output, tmp_path / name, own=OWN, config=TRAINING, progress=False
        )
        file = load_drafter(output, kind="ppd", image=image)
        np.testing.assert_allclose(file.tensors["acceptance.greedy"], chances["greedy"])
        assert file.settings["training"]["steps"] == 3
        found.append(output.read_bytes())
    assert found[0] == found[1]
    drafter = PromptDecoding.from_file(file, costs=(1.0,) * 8)
    state = DraftState(tokens=[1], position=3, sampling=SamplingConfig())
    assert len(drafter.propose(state, DraftBudget(nodes=7, depth=7)).rows) > 0
