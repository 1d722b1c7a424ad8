from tercel.sampling import SamplingConfig
from tercel.speculation import DraftBudget, DraftState
from tercel.speculation.drafter_file import load_drafter
from tercel.speculation.drafters.deer import BlockDiffusion
from tercel_quant.train_drafter.block_model import BlockConfig
from tercel_quant.train_drafter.block_trainer import BlockTrainingConfig
from tercel_quant.train_drafter.deer_run import train_deer
from tercel_quant.train_drafter.own_text import OwnTextConfig

OWN = OwnTextConfig(tokens=8 * 24, sequences=8, prompt=6, length=24)


def test_a_run_makes_a_file_that_drafts(image, text, tmp_path):
    output = tmp_path / "tiny.deer.drafter"
    covered = train_deer(
        image,
        [text],
        output,
        tmp_path,
        own=OWN,
        shape=BlockConfig(context=5, masks=3, heads=2, ffn_size=8),
        config=BlockTrainingConfig(continuation_steps=2, refinement_steps=1, batch=4),
        words=10,
        progress=False,
    )
    assert 0.2 < covered < 1
    drafter = BlockDiffusion.from_file(load_drafter(output, kind="deer", image=image), image)
    state = DraftState(tokens=list(range(9)), position=8, sampling=SamplingConfig(temperature=0.8))
    tree = drafter.propose(state, DraftBudget(nodes=7, depth=7))
    assert tree.parents == (-1, 0, 1)
