import pytest

from tercel.hardware.contiguous_memory import cma_bytes, cma_remedy, mebibytes


@pytest.fixture
def root(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(
        "MemTotal:  4028204 kB\nCmaTotal:   262144 kB\nCmaFree:    102400 kB\n"
    )
    return tmp_path


def test_it_is_read_from_meminfo(root):
    assert cma_bytes(root) == (256 << 20, 100 << 20)
    assert cma_bytes(root / "missing") == (0, 0)


def test_the_remedy_has_room_for_what_is_in_use(root):
    """800 MiB beside the 156 that others use: 956, in steps of 128."""
    remedy = cma_remedy(800 << 20, root)
    assert "keeps 256 MiB of contiguous memory, of which 100 MiB are free" in remedy
    assert "cma=1024M" in remedy


def test_sizes_are_rounded_up():
    assert mebibytes(1) == "1 MiB"
    assert mebibytes(5 << 20) == "5 MiB"
