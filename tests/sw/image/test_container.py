import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors import safe_open

from tercel.errors import TercelError
from tercel.files import whole_file
from tercel.image import ImageBuilder, fill_random
from tercel.image.container import Stream, read_header, verify_checksum, write_container

METADATA = {"format": "test", "note": '"checksum":"'}


def streams():
    halves = [np.arange(6, dtype=np.uint8), np.arange(6, 12, dtype=np.uint8)]
    one = Stream(shape=(1,), blocks=[halves[0][:1]])
    return {"a": Stream(shape=(3, 4), blocks=halves), "b": one}


def write(path, tensors):
    with whole_file(path) as file:
        return write_container(file, METADATA, tensors)


def test_safetensors_reads_it(tmp_path):
    path = tmp_path / "x"
    write(path, streams())
    with safe_open(path, framework="numpy") as file:
        assert np.array_equal(file.get_tensor("a"), np.arange(12).reshape(3, 4))
        assert file.metadata().items() >= METADATA.items()
    assert os.listdir(tmp_path) == ["x"]


def test_header_tells_where_tensors_are(tmp_path):
    path = tmp_path / "x"
    write(path, streams())
    header = read_header(path)
    data = path.read_bytes()
    assert header.tensors["a"].offset % 64 == 0
    shapes = {name: (entry.dtype, entry.shape) for name, entry in header.tensors.items()}
    assert shapes == {"a": ("U8", (3, 4)), "b": ("U8", (1,))}
    assert data[header.tensors["a"].offset :] == bytes([*range(12), 0])
    assert data[header.tensors["b"].offset :] == b"\0"
    verify_checksum(path)


def test_the_size_of_the_file_is_told(tmp_path):
    path = tmp_path / "x"
    assert write(path, streams()) == path.stat().st_size


def test_the_checksum_is_the_documented_one(tmp_path):
    path = tmp_path / "x"
    write(path, streams())
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    digits = header["__metadata__"]["checksum"]
    assert hashlib.sha256(data.replace(digits.encode(), b"0" * 64)).hexdigest() == digits


def test_an_old_file_is_replaced_whole(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old" * 1000)
    write(path, streams())
    verify_checksum(path)


def failing_blocks(error):
    yield np.zeros(6, np.uint8)
    raise error


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt()])
def test_a_failed_write_leaves_everything_as_it_was(tmp_path, error):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    blocks = Stream(shape=(12,), blocks=failing_blocks(error))
    with pytest.raises(type(error)):
        write(path, {"a": blocks})
    assert os.listdir(tmp_path) == ["x"]
    assert path.read_bytes() == b"old"


def test_a_full_disk_gives_one_message(tmp_path):
    """The kernel refuses to let the file grow, as on a full disk."""
    code = (
        "import resource, sys\n"
        "from tercel.config import PRESETS\n"
        "from tercel.errors import TercelError\n"
        "from tercel.image import random_image\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try:\n"
        "    random_image(sys.argv[1], PRESETS['tiny'])\n"
        "except TercelError as error:\n"
        "    print(error)\n"
    )
    path = tmp_path / "tiny.tercel"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60
    )
    remedy = "raise the limit of file sizes (ulimit -f)"
    assert done.stdout == f"cannot write {path}: File too large; {remedy}\n"
    assert done.stderr == ""
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "none" / "x"
    with pytest.raises(TercelError, match="none/x: No such file or directory; make its folder"):
        write(path, streams())


def test_files_without_permission_are_named(tmp_path):
    """Root drops its capabilities first; the folder is used as the current one."""
    (tmp_path / "secret.tercel").touch(0o000)
    code = (
        "import os\n"
        "from tercel.config import PRESETS\n"
        "from tercel.errors import TercelError\n"
        "from tercel.image import Image, ImageBuilder, fill_random\n"
        "builder = ImageBuilder(config=PRESETS['tiny'])\n"
        "fill_random(builder, 0)\n"
        "if os.geteuid() == 0:\n"
        "    os.setuid(65534)\n"
        "for action in (\n"
        "    lambda: builder.write('x.tercel'),\n"
        "    lambda: Image.open('secret.tercel'),\n"
        "):\n"
        "    try:\n"
        "        action()\n"
        "    except TercelError as error:\n"
        "        print(error)\n"
    )
    tmp_path.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    tmp_path.chmod(0o700)
    assert done.stdout == (
        "cannot write x.tercel: Permission denied; "
        "write where you have the permission, or change it\n"
        "cannot read secret.tercel: Permission denied\n"
    )
    assert done.stderr == ""
    assert os.listdir(tmp_path) == ["secret.tercel"]


def test_a_folder_of_that_name_stays(odd_config, tmp_path):
    path = tmp_path / "x.tercel"
    path.mkdir()
    builder = ImageBuilder(config=odd_config)
    fill_random(builder, 0)
    with pytest.raises(TercelError, match="Is a directory; name a file, not a folder"):
        builder.write(path)
    assert os.listdir(tmp_path) == ["x.tercel"]
