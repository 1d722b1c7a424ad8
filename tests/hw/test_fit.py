import dataclasses

from tercel.config import PRESETS
from tercel_hw.fit import board_of, preset_excesses


def test_every_preset_is_told_with_all_limits_that_a_model_exceeds():
    wide = dataclasses.replace(PRESETS["2b"], head_size=256, heads=12, kv_heads=4, ffn_size=23040)
    found = preset_excesses(wide)
    assert found["kv260"] == (
        "widest input of a linear must be at most 8192, but is 23040",
        "head_size must be at most 128, but is 256",
    )
    assert found["kv260-wide"] == ()
    assert preset_excesses(PRESETS["2b"])["kv260"] == ()


def test_tape_and_cache_must_fit_the_memory_of_the_board():
    small = dataclasses.replace(PRESETS["0.7b"], layers=120)
    (message,) = preset_excesses(small)["pynq-z2"]
    assert message.startswith("MB of tape and cache must be at most 536, but is ")
    assert preset_excesses(small)["kv260"] == ()
    assert preset_excesses(PRESETS["0.7b"])["pynq-z2"] == ()


def test_presets_have_a_board():
    assert board_of("pynq-z2") == "pynq-z2"
    assert board_of("kv260-wide") == "kv260"


def test_models_of_version_3_fit_the_preset_with_groups_alone():
    for fields in ({"granularity": "group"}, {"granularity": "row"}, {"qk_norm": True}):
        found = preset_excesses(dataclasses.replace(PRESETS["tiny"], **fields))
        assert found.pop("kv260-groups") == ()
        for (limit,) in found.values():
            assert "take one that plays them" in limit
