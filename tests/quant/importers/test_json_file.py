import pytest

from tercel.errors import TercelError
from tercel_quant.importers.json_file import read_bytes, read_object


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config.json"


def test_an_object_is_read(path):
    path.write_text('{"a": [1, 2]}')
    assert read_object(path) == {"a": [1, 2]}
    assert read_bytes(path) == b'{"a": [1, 2]}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not valid JSON"),
        (b'{"a": 1', "is not valid JSON"),
        (b"\xff\xfe{", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"[1]", "must hold a JSON object, not list"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "LFS"),
    ],
)
def test_anything_else_is_refused(path, content, message):
    path.write_bytes(content)
    with pytest.raises(TercelError, match=message):
        read_object(path)


def test_a_file_that_cannot_be_read_is_named(path):
    with pytest.raises(TercelError, match=r"config\.json cannot be read: No such file"):
        read_bytes(path)
    with pytest.raises(TercelError, match="cannot be read: Is a directory"):
        read_bytes(path.parent)


def test_a_file_larger_than_any_published_one_is_refused(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TercelError, match=r"config\.json has 1099511627776 bytes, but at most 268"):
        read_object(path)
