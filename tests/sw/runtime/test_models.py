import pytest

from tercel.errors import TercelError
from tercel.runtime import find_model, models, shipped_models


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A package folder with one shipped image."""
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "small.tercel"
    path.touch()
    monkeypatch.setattr(models, "files", {"tercel": tmp_path}.__getitem__)
    return path


def test_names_and_paths(shipped, tmp_path):
    assert shipped_models() == ("small",)
    assert find_model("small") == shipped
    assert find_model(str(shipped)) == shipped


def test_a_file_goes_before_a_name(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").touch()
    assert find_model("small").samefile(tmp_path / "small")


def test_unknown_names_and_folders_are_refused(shipped, tmp_path):
    with pytest.raises(TercelError, match=r"no model 'x': .* nor a shipped model \(small\)"):
        find_model("x")
    with pytest.raises(TercelError, match="is a folder"):
        find_model(str(tmp_path))


@pytest.mark.parametrize(("names", "listed"), [((), "none"), (("b", "a"), "a, b")])
def test_the_shipped_models_are_listed(shipped, names, listed):
    shipped.unlink()
    for name in names:
        shipped.with_name(f"{name}.tercel").touch()
    assert shipped_models() == tuple(sorted(names))
    with pytest.raises(TercelError, match=rf"nor a shipped model \({listed}\)$"):
        find_model("x")
