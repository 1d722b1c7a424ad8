import json

import pytest

from tercel.errors import TercelError
from tercel.image import LAYOUTS
from tercel_quant.layout_option import named_layout


def test_layouts_have_names():
    assert named_layout(None) == (None, None)
    for name, layout in LAYOUTS.items():
        assert named_layout(name) == (layout, None)


def test_what_is_neither_a_name_nor_a_sidecar_is_refused(tmp_path):
    with pytest.raises(TercelError, match=r"layout must be one of kv260, .*, not 'kv261'"):
        named_layout("kv261")
    (tmp_path / "other.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(TercelError, match="is no sidecar of an accelerator"):
        named_layout(str(tmp_path / "other.json"))
