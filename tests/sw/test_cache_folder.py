from pathlib import Path

import pytest

from tercel.cache_folder import cache_folder
from tercel.errors import TercelError


def test_it_lies_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("kind") == tmp_path / "tercel" / "kind"
    assert not cache_folder("kind").exists()


@pytest.mark.parametrize("value", [None, "", "relative/place"])
def test_otherwise_it_lies_in_the_home_directory(monkeypatch, tmp_path, value):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_folder("kind") == tmp_path / ".cache" / "tercel" / "kind"


def test_a_user_without_a_home_directory_is_told(monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(TercelError, match="set HOME or XDG_CACHE_HOME"):
        cache_folder("kind")
