# amaranth: UnusedElaboratable=no

import pytest
from amaranth.back import rtlil

from tercel_hw.tlmm import TlmmEngine
from tercel_hw.tlmm.config import TLMM


@pytest.mark.parametrize(
    "preset",
    [
        "tiny",
        pytest.param("kv260", marks=pytest.mark.slow),
        pytest.param("kv260-index5", marks=pytest.mark.slow),
    ],
)
def test_a_preset_becomes_rtlil(preset):
    text = rtlil.convert(TlmmEngine(config=TLMM[preset]))
    assert "module \\top" in text
