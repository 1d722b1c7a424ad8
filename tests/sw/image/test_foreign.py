"""Files of other kinds in place of an image: the message names the kind."""

import re

import pytest

from tercel.errors import TercelError
from tercel.image import Image


@pytest.mark.parametrize(
    ("start", "rule"),
    [
        (
            b"GGUF\x03\0\0\0",
            "m.gguf is a GGUF file, not a tercel image; make one of it with `tercel quantize ",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n",
            "m.gguf is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`",
        ),
    ],
)
def test_kind_is_told(tmp_path, start, rule):
    path = tmp_path / "m.gguf"
    path.write_bytes(start)
    with pytest.raises(TercelError, match=re.escape(rule)):
        Image.open(path)
