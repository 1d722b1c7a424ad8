"""The model's own text: its distributions, its temperatures, and parts that are kept."""

import json
from dataclasses import replace

import pytest
import torch

from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.runtime import TextTokenizer
from tercel_quant.reference import head_logits, hidden_states
from tercel_quant.train_drafter.own_text import OwnTextConfig, TextPart, write_own_text
from tercel_quant.weights import ImageWeights

CONFIG = OwnTextConfig(tokens=320, sequences=8, prompt=8, length=40, top=16, seed=1)


def test_results_are_those_of_the_reference(image, parts):
    part = TextPart.load(parts[1])
    assert part.tokens.shape == (8, 40)
    weights = ImageWeights(image)
    stream = hidden_states(weights, part.tokens)
    assert torch.allclose(part.hidden.float(), stream, atol=2e-2 * float(stream.std()))
    logits = torch.cat(list(head_logits(weights, part.hidden.float().flatten(0, 1))))
    logs = logits.view(8, 40, -1).log_softmax(-1)
    assert torch.allclose(part.top_logs.float(), logs.gather(-1, part.top_ids), atol=3e-2)
    assert (part.top_logs[..., :-1] >= part.top_logs[..., 1:]).all()
    best = logs.topk(16).values
    assert torch.allclose(best, part.top_logs.float(), atol=3e-2)


def test_the_first_sequence_is_greedy_and_the_last_two_follow_their_distribution(parts):
    right, expected = [], []
    for path in parts:
        part = TextPart.load(path)
        first = (part.top_ids[:, 8:-1, 0] == part.tokens[:, 9:]).double()
        assert (first[0] == 1).all()
        right.append(first[6:])
        expected.append(part.top_logs[6:, 8:-1, 0].double().exp())
    right, expected = torch.cat(right), torch.cat(expected)
    deviation = (expected * (1 - expected)).sum().sqrt() / expected.numel()
    assert abs(right.mean() - expected.mean()) < 4 * deviation
    assert right.mean() < 1


def test_prompts_are_passages_of_the_text(image, text, parts):
    tokenizer = TextTokenizer(image.tokenizer)
    prompts = {tokenizer.decode(row[:8].tolist()) for row in TextPart.load(parts[0]).tokens}
    assert len(prompts) > 3
    assert all(prompt in text.read_text() for prompt in prompts)


def test_parts_are_kept_and_more_tokens_add_parts(image, text, tmp_path):
    lines = []
    first = write_own_text(image, [text], tmp_path, CONFIG, report=lines.append)
    assert lines == ["part 1 of 1 of the model's own text is written"]
    content, time = first[0].read_bytes(), first[0].stat().st_mtime_ns
    both = write_own_text(image, [text], tmp_path, replace(CONFIG, tokens=321))
    assert len(both) == 2
    assert both[0].stat().st_mtime_ns == time
    both[0].unlink()
    write_own_text(image, [text], tmp_path, CONFIG)
    assert both[0].read_bytes() == content


def test_a_folder_of_another_text_is_refused(image, text, tmp_path):
    write_own_text(image, [text], tmp_path, CONFIG)
    with pytest.raises(TercelError, match=r"another seed, prompt|another prompt, seed"):
        write_own_text(image, [text], tmp_path, replace(CONFIG, seed=2, prompt=9))
    assert json.loads((tmp_path / "text.json").read_text())["seed"] == 1


def test_a_run_that_wrote_nothing_leaves_the_folder_free(image, text, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("too short")
    folder = tmp_path / "folder"
    with pytest.raises(TercelError, match="give more text"):
        write_own_text(image, [short], folder, CONFIG)
    assert len(write_own_text(image, [text], folder, CONFIG)) == 1
    (folder / "text.json").write_text("{")
    with pytest.raises(TercelError, match=r"text\.json is damaged; delete the folder"):
        write_own_text(image, [text], folder, CONFIG)


def test_a_folder_of_another_model_is_refused(image, text, tmp_path):
    write_own_text(image, [text], tmp_path, CONFIG)
    other = tmp_path / "other.tercel"
    random_image(other, image.config, seed=8, tokenizer=image.tokenizer)
    with pytest.raises(TercelError, match="another model"):
        write_own_text(Image.open(other), [text], tmp_path, CONFIG)


def test_a_short_text_and_a_damaged_part_are_refused(image, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("a b")
    with pytest.raises(TercelError, match="give more text"):
        write_own_text(image, [short], tmp_path / "own", CONFIG)
    short.write_bytes(b"\xff")
    with pytest.raises(TercelError, match="cannot be read"):
        write_own_text(image, [short], tmp_path / "other", CONFIG)
    with pytest.raises(TercelError, match="delete it and run again"):
        TextPart.load(short)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": 0}, "at least one token"),
        ({"sequences": 0}, "one sequence"),
        ({"prompt": 40}, "1 to 39 tokens"),
        ({"prompt": 0}, "1 to 39 tokens"),
        ({"temperatures": ()}, "temperatures"),
        ({"temperatures": (0.5, -1.0)}, "temperatures"),
    ],
)
def test_a_config_checks_itself(changes, message):
    with pytest.raises(TercelError, match=message):
        replace(CONFIG, **changes)
