import hashlib

import pytest

from tercel.file_hash import BLOCK_BYTES, file_sha256


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1])
def test_it_is_the_hash_of_the_whole_content(tmp_path, size):
    content = bytes(range(251)) * (size // 251 + 1)
    path = tmp_path / "file"
    path.write_bytes(content[:size])
    assert file_sha256(path) == hashlib.sha256(content[:size]).hexdigest()
