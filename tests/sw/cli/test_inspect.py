import dataclasses
import json
import re

import pytest

from tercel.config import PRESETS
from tercel.image import ChatFormat, Image, SamplingFilters, random_image


def test_json_has_the_facts(tercel, model):
    image = Image.open(model)
    result = tercel("inspect", model, "--json", "--context", "100", "--bandwidth", "2.5")
    facts = json.loads(result.stdout)
    assert facts["config"]["layers"] == 2
    assert facts["layout"]["code"] == "base3"
    assert facts["path"] == model
    assert facts["tokenizer_bytes"] == len(image.tokenizer)
    assert facts["ternary_weights"] == image.config.ternary_weights
    assert facts["bits_per_weight"] == image.footprint.bits_per_weight
    assert facts["head_bytes"] == image.footprint.head
    assert facts["kv_bytes_per_position"] == image.footprint.kv_per_position
    token = facts["per_token"]
    assert token["kv_bytes"] == 100 * facts["kv_bytes_per_position"]
    assert token["bytes"] == image.bytes_per_pass() + token["kv_bytes"]
    assert token["tokens_per_second"] == pytest.approx(2.5e9 / token["bytes"])
    assert token["evidence"] == "model"


def test_segments_are_summed_by_kind(tercel, model):
    image = Image.open(model)
    segments = {
        entry["name"]: entry
        for entry in json.loads(tercel("inspect", model, "--json").stdout)["segments"]
    }
    assert sum(entry["bytes"] for entry in segments.values()) == image.footprint.tape
    qkv = [segment for segment in image.segments if segment.name.endswith(".qkv")]
    size = sum(segment.words for segment in qkv) * image.layout.word_bytes
    assert (segments["qkv"]["count"], segments["qkv"]["bytes"]) == (2, size)
    assert segments["qkv"]["bits_per_weight"] == 8 * size / 2 / (128 * 64)
    assert not segments["rope"]["played"]


def test_the_table_shows_them(tercel, model):
    text = tercel("inspect", model).stdout
    for part in ("bits a weight", "KV cache", "tokens/s at 15 GB/s (evidence: model)", "gate_up"):
        assert part in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--context", "-1"), "context must be in 0..4095, not -1"),
        (("--context", "4096"), "context must be in 0..4095, not 4096"),
        (("--bandwidth", "0"), "bandwidth must be a positive number of GB/s, not 0.0"),
        (("--bandwidth", "nan"), "bandwidth must be a positive number of GB/s, not nan"),
    ],
)
def test_rules(tercel, model, options, message):
    result = tercel("inspect", model, *options)
    assert (result.exit_code, result.stderr) == (2, f"error: {message}\n")


def test_the_default_positions_fit_a_small_model(tercel, tmp_path):
    path = tmp_path / "small.tercel"
    random_image(path, dataclasses.replace(PRESETS["tiny"], context=64), seed=1)
    result = tercel("inspect", str(path), "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["per_token"]["context"] == 63


def test_template_and_sampling_are_shown(tercel, model, tmp_path):
    path = tmp_path / "chat.tercel"
    chat = ChatFormat(template="{{ messages }}")
    sampling = SamplingFilters(temperature=0.6, top_p=0.9)
    random_image(path, PRESETS["tiny"], chat=chat, sampling=sampling)
    text = tercel("inspect", str(path)).stdout
    assert re.search(r"chat template +14 characters", text)
    assert re.search(r"sampling +temperature 0.6, top-k all, top-p 0.9, min-p 0", text)
    facts = json.loads(tercel("inspect", str(path), "--json").stdout)
    assert facts["chat"] == chat.to_fields()
    assert facts["sampling"] == sampling.to_fields()
    assert re.search(r"chat template +none", tercel("inspect", model).stdout)


def test_a_shortlist_is_shown(tercel, tmp_path):
    path = tmp_path / "listed.tercel"
    random_image(path, dataclasses.replace(PRESETS["tiny"], vocab_size=300, shortlist=64))
    text = " ".join(tercel("inspect", str(path)).stdout.split())
    assert re.search(r"head [\d.]+ kB, with a shortlist of [\d.]+ kB for 64 rows a node", text)
    assert re.search(r"shortlist ternary-row if asked for 1 300 x 64", text)
    facts = json.loads(tercel("inspect", str(path), "--json").stdout)
    (entry,) = [entry for entry in facts["segments"] if entry["name"] == "shortlist"]
    assert entry["bytes"] == facts["shortlist_bytes"] > 0
    token = facts["per_token"]
    image = Image.open(path)
    assert token["two_stage_bytes"] == image.bytes_per_pass(listed=64) + token["kv_bytes"]
    rate = 1e9 * token["bandwidth_gb_s"] / token["two_stage_bytes"]
    assert (
        f"two-stage head reads {token['two_stage_bytes'] / 1000:.1f} kB, at most {rate:.1f}" in text
    )


def test_an_image_of_version_3_is_shown(tercel, tmp_path):
    path = tmp_path / "groups.tercel"
    config = dataclasses.replace(
        PRESETS["tiny"], granularity="group", ternary_head=True, qk_norm=True
    )
    random_image(path, config)
    text = tercel("inspect", str(path)).stdout
    reasons = "scales of groups, a ternary head and q/k norms"
    assert f"format version 3, for {reasons}" in " ".join(text.split()), "it may be wrapped"
    facts = json.loads(tercel("inspect", str(path), "--json").stdout)
    assert facts["config"]["granularity"] == "group"
    kinds = {entry["name"]: entry for entry in facts["segments"]}
    assert kinds["head"]["kind"] == "ternary-group"
    assert kinds["head"]["bits_per_weight"] > 1.7
