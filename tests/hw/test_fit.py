import dataclasses

from tercel.config import PRESETS
from tercel_hw.fit import preset_excesses


def test_every_preset_is_told_with_all_limits_that_a_model_exceeds():
    wide = dataclasses.replace(PRESETS["2b"], head_size=256, heads=12, kv_heads=4, ffn_size=23040)
    found = preset_excesses(wide)
    assert found["kv260"] == (
        "widest input of a linear must be at most 8192, but is 23040",
        "head_size must be at most 128, but is 256",
    )
    assert found["kv260-wide"] == ()
    assert preset_excesses(PRESETS["2b"])["kv260"] == ()
