"""The two-stage head of the emulator: exact logits of the rows that each node lists."""

import dataclasses

import numpy as np
import pytest
import specified_numerics as specified

from tercel import numerics
from tercel.config import PRESETS
from tercel.device import Ask, Limits
from tercel.device.emulator import EmulatorDevice
from tercel.device.pass_arguments import check_ask
from tercel.errors import TercelError
from tercel.image import Image, ImageBuilder, fill_random, random_image

TOKENS = [5, 17, 3, 388, 41, 202]
MODELS = {
    "plain": dataclasses.replace(PRESETS["tiny"], vocab_size=700, shortlist=32),
    "groups": dataclasses.replace(
        PRESETS["tiny"],
        vocab_size=700,
        granularity="group",
        qk_norm=True,
        tied_head=False,
        shortlist=64,
    ),
}


@pytest.fixture(scope="module", params=MODELS)
def image(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("shortlists") / f"{request.param}.tercel"
    random_image(path, MODELS[request.param], seed=5)
    return Image.open(path)


@pytest.mark.parametrize("head_rows", [None, 699, 65, 64, 33, 20])
def test_results_are_over_the_listed_rows(image, head_rows):
    device, nodes = EmulatorDevice(image), tuple(range(len(TOKENS)))
    limit, size = head_rows or 700, image.config.shortlist
    whole = device.run_pass(TOKENS, ask=Ask(logits=nodes, hidden=nodes, head_rows=head_rows))
    found = device.run_pass(TOKENS, ask=Ask(top_k=9, head_rows=head_rows, two_stage=True))
    stream = np.stack([whole.hidden[node] for node in nodes])
    x = numerics.norm_quantise(stream, image.gain("norm"), image.config.norm_epsilon)
    sums = x.values.astype(np.int64) @ image.ternary("shortlist").T
    scores = sums.astype(np.float32) * image.row_scales("shortlist")
    for node in nodes:
        listed = specified.shortlist(scores[node, :limit].tolist(), size)
        assert len(listed) == min(size, limit)
        logits = whole.logits[node][listed]
        order = np.argsort(-logits, kind="stable")
        assert found.argmax[node] == listed[order[0]]
        assert found.top_ids[node].tolist() == [listed[place] for place in order[:9]]
        assert np.array_equal(found.top_logits[node], logits[order[:9]])
        assert abs(found.logsumexp[node] - np.logaddexp.reduce(logits.astype(np.float64))) < 1e-3
    if limit <= size:
        assert np.array_equal(found.argmax, whole.argmax)


def test_a_pass_of_nodes_equals_single_passes(image):
    ask = Ask(top_k=5, two_stage=True)
    together = EmulatorDevice(image).run_pass(TOKENS, ask=ask)
    device = EmulatorDevice(image)
    for node, token in enumerate(TOKENS):
        single = device.run_pass([token], ask=ask)
        device.commit([0])
        for field in ("argmax", "top_ids", "top_logits", "logsumexp"):
            assert np.array_equal(getattr(single, field)[0], getattr(together, field)[node])


def test_ties_go_to_the_row_earlier_in_the_list(tmp_path):
    """All rows are alike: the list begins with the rows of bucket 0, and so does the order."""
    config = MODELS["plain"]
    builder = ImageBuilder(config=config)
    ones = np.ones((700, 64), np.int8)
    builder.rows("embedding", ones, np.ones(700, np.float32))
    builder.ternary("shortlist", ones, 1.0)
    fill_random(builder, 1)
    builder.write(tmp_path / "alike.tercel")
    device = EmulatorDevice(Image.open(tmp_path / "alike.tercel"))
    result = device.run_pass([5, 6], ask=Ask(top_k=6, two_stage=True))
    assert result.argmax.tolist() == [0, 0]
    assert result.top_ids.tolist() == [[0, 8, 16, 24, 1, 9]] * 2


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (Ask(two_stage=True, logits=(0,)), "logits must be empty with two_stage"),
        (Ask(two_stage=True, top_k=33), r"top_k must be in 0\.\.32, not 33"),
        (Ask(two_stage=True, top_k=21, head_rows=20), r"top_k must be in 0\.\.20, not 21"),
    ],
)
def test_bad_asks_are_refused(tmp_path, ask, message):
    random_image(tmp_path / "plain.tercel", MODELS["plain"])
    device = EmulatorDevice(Image.open(tmp_path / "plain.tercel"))
    with pytest.raises(TercelError, match=message):
        device.run_pass([1], ask=ask)
    assert device.run_pass([1], ask=Ask(top_k=33)).top_ids.shape == (1, 33)


def test_an_image_without_shortlist_is_refused(tiny):
    with pytest.raises(TercelError, match="tiny has none; make one with `tercel shortlist`"):
        EmulatorDevice(tiny).run_pass([1], ask=Ask(two_stage=True))


@pytest.mark.parametrize("most", [0, 16])
def test_a_device_without_such_a_head_is_named(most):
    limits = Limits(nodes=8, context=8, top_k=8, shortlist=most)
    with pytest.raises(TercelError, match=f"lists 32 rows a node, .* but this one's lists {most};"):
        check_ask(Ask(two_stage=True), 1, config=MODELS["plain"], limits=limits)


def test_the_head_may_be_skipped(image):
    device = EmulatorDevice(image)
    result = device.run_pass([1, 2], ask=Ask(argmax=False, two_stage=True))
    assert result.argmax is None
    assert result.counters == device.run_pass([1, 2], ask=Ask(argmax=False)).counters


def test_counters_count_what_is_read_at_most(image):
    """Every listed row once for each node, but no more rows than there are."""
    device, config = EmulatorDevice(image), image.config
    for nodes, head_rows in ((1, None), (3, None), (6, 100)):
        ask = Ask(two_stage=True, head_rows=head_rows)
        counted = device.run_pass(TOKENS[:nodes], ask=ask).counters
        rows = min(nodes * config.shortlist, head_rows or 700)
        assert counted.tape_bytes_read == image.bytes_per_pass(
            nodes=nodes, head_rows=head_rows, listed=rows
        )
