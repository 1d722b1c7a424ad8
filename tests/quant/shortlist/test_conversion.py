import dataclasses
import io

import numpy as np
import pytest
import torch

from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import LAYOUTS, Image, TapeLayout
from tercel.runtime import TextTokenizer
from tercel_quant.shortlist import conversion
from tercel_quant.shortlist.conversion import Agreement, add_shortlist
from tercel_quant.text import text_windows


def added(image, folder, text, **options):
    output = io.BytesIO()
    found = add_shortlist(image, output, text, **options)
    path = folder / f"{len(list(folder.iterdir()))}.tercel"
    path.write_bytes(output.getvalue())
    assert found.image_bytes == len(output.getvalue())
    return found, Image.open(path)


def test_the_image_is_the_same_model_with_a_shortlist(image, text, tmp_path):
    lines = []
    found, listed = added(image, tmp_path, text, rows=32, report=lines.append)
    assert listed.config == found.config == dataclasses.replace(image.config, shortlist=32)
    assert listed.layout == found.layout == LAYOUTS["kv260-groups"]
    for field in ("tokenizer", "chat", "sampling"):
        assert getattr(listed, field) == getattr(image, field)
    asked = Ask(top_k=5, logits=(0, 1))
    mine, theirs = (EmulatorDevice(each).run_pass([9, 33], ask=asked) for each in (listed, image))
    assert np.array_equal(mine.top_logits, theirs.top_logits)
    assert np.array_equal(mine.logits[1], theirs.logits[1])
    assert lines[-2:] == [
        "inputs of the head: 1984 of 1984 tokens",
        "rows of the shortlist: 257 of 257",
    ]
    assert found.calibration_tokens + found.agreement.tokens == 1984


def test_the_agreement_is_that_of_the_device(image, text, tmp_path):
    """Passes of the new image over the windows that the calibration left out."""
    found, listed = added(image, tmp_path, text, rows=32, tokens=1024)
    windows = text_windows(text, TextTokenizer.of_image(image), context=64, tokens=1024)
    assert len(windows) == 16
    device, agreeing = EmulatorDevice(listed, nodes=64), 0
    for window in windows[7::8].tolist():
        whole = device.run_pass(window, ask=Ask())
        short = device.run_pass(window, ask=Ask(two_stage=True))
        agreeing += int((whole.argmax == short.argmax).sum())
        device.reset()
    assert found.agreement == Agreement(tokens=128, agreeing=agreeing)
    assert found.agreement.share == agreeing / 128 > 0.9, "rows that it lists by chance: an eighth"
    whole, short = found.pass_bytes
    assert whole == listed.bytes_per_pass()
    assert short == listed.bytes_per_pass(listed=32)


def test_models_of_version_3_keep_their_layout(make_image, text, tmp_path):
    image = make_image(granularity="group", qk_norm=True)
    _, listed = added(image, tmp_path, text, rows=64, tokens=256)
    assert (listed.config.shortlist, listed.layout) == (64, image.layout)
    assert np.array_equal(listed.multipliers("layers.1.down"), image.multipliers("layers.1.down"))
    # Again: the shortlist of before is replaced.
    _, other = added(listed, tmp_path, text, rows=32, tokens=256, layout=TapeLayout(tables=26))
    assert (other.config.shortlist, other.layout.tables) == (32, 26)
    assert np.array_equal(other.ternary("shortlist"), listed.ternary("shortlist"))


def test_large_tapes_are_built_on_the_disk(image, text, tmp_path, monkeypatch):
    _, small = added(image, tmp_path, text, rows=32, tokens=256)
    expected = small.path.read_bytes()
    monkeypatch.setattr(conversion, "MOST_IN_MEMORY", 0)
    path = tmp_path / "large.tercel"
    with path.open("w+b") as file:
        add_shortlist(image, file, text, rows=32, tokens=256)
    assert path.read_bytes() == expected


def test_what_cannot_have_a_shortlist_is_refused(make_image, image, text):
    ternary = make_image(granularity="group", ternary_head=True)
    with pytest.raises(TercelError, match="bytes has a ternary head, whose rows are ternary alr"):
        add_shortlist(ternary, io.BytesIO(), text)
    for rows in (0, 16, 48, 512, 8192):
        message = rf"a power of two in 32\.\.4096 and less than the 257 .* of bytes, not {rows}"
        with pytest.raises(TercelError, match=message):
            add_shortlist(image, io.BytesIO(), text, rows=rows)
    with pytest.raises(TercelError, match="needs two windows of 64 tokens, one of them held out"):
        add_shortlist(image, io.BytesIO(), text, rows=32, tokens=64)


def test_one_of_few_windows_is_held_out(image, text, tmp_path):
    found, _ = added(image, tmp_path, text[:130], rows=32)
    assert (found.calibration_tokens, found.agreement.tokens) == (64, 64)


def test_an_exact_form_agrees_always():
    """Rows of few values: their trits are the rows themselves."""
    rows = np.random.default_rng(0).integers(-1, 2, (200, 40)).astype(np.int8)
    scales = np.float32(1) + np.arange(200, dtype=np.float32) / 200
    exact = conversion.Ternary(trits=torch.from_numpy(rows), scale=torch.from_numpy(scales))
    inputs = conversion.Quantised(
        values=np.random.default_rng(1).integers(-127, 128, (100, 40)).astype(np.int8),
        scale=np.ones(100, np.float32),
    )
    found = conversion.agreement(exact, rows, scales, inputs, 32)
    assert found == Agreement(tokens=100, agreeing=100)
    # Rows in another order are listed by chance.
    other = conversion.agreement(
        dataclasses.replace(exact, trits=exact.trits.roll(1, 0)), rows, scales, inputs, 32
    )
    assert other.agreeing < 60
