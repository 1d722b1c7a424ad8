import sys
from importlib.metadata import EntryPoint

import pytest

from tercel.cli import group

SOURCE = '''
import typer

from tercel.errors import TercelError

application = typer.Typer()


def greet(name: str) -> None:
    """Say hello."""
    typer.echo(f"hello {name}")


def need() -> None:
    """Need a package that is not there."""
    import absent_torch


def defect() -> None:
    """Need a module of our own that is not there."""
    import tercel.absent


def refuse() -> None:
    """Refuse."""
    raise TercelError("the rule")


def interrupted() -> None:
    """Be interrupted."""
    raise KeyboardInterrupt


@application.command()
def first() -> None:
    """Be the first."""
    typer.echo("first")


@application.command()
def second() -> None:
    """Be the second."""
'''


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install commands from a module of the test's own; ``*`` stands for its name."""
    modules = {"tercel_fake": SOURCE, "tercel_broken": "import absent_torch", "other_tool": SOURCE}
    for name, source in modules.items():
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)

    def install(**values):
        entries = [EntryPoint(name, value, group.GROUP) for name, value in values.items()]
        monkeypatch.setattr(group, "entry_points", lambda group: entries)

    yield install
    for name in modules:
        sys.modules.pop(name, None)


def test_installed_commands_stand_after_our_own(tercel, install):
    install(zeta="tercel_fake:greet", alpha="tercel_fake:need", run="tercel_fake:greet")
    result = tercel("--help")
    commands = result.stdout.split("Commands:")[1].split("\n")
    assert [line.split()[0] for line in commands if line] == [
        "run",
        "chat",
        "inspect",
        "bench",
        "devices",
        "doctor",
        "alpha",
        "zeta",
    ]
    assert "Say hello." in result.stdout
    assert tercel("zeta", "Ada").stdout == "hello Ada\n"


def test_an_application_brings_its_commands(tercel, install):
    install(tools="tercel_fake:application")
    assert tercel("tools", "first").stdout == "first\n"
    assert "Be the second." in tercel("tools", "--help").stdout


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("tercel_fake:need", "install tercel[fake]"),
        ("tercel_broken:anything", "install tercel[broken]"),
        ("other_tool:need", "install other_tool"),
    ],
)
def test_a_missing_extra_is_one_line(tercel, install, value, remedy):
    install(quantize=value)
    assert "quantize" in tercel("--help").stdout
    result = tercel("quantize")
    message = f"error: quantize needs absent_torch, which is not installed: {remedy}\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


def test_the_placeholder_takes_any_arguments(tercel, install):
    install(quantize="tercel_broken:anything")
    result = tercel("quantize", "model", "--method", "x")
    assert result.exit_code == 2
    assert "install tercel[broken]" in result.stderr


@pytest.mark.parametrize("value", ["tercel_fake:defect", "tercel_absent:command"])
def test_a_defect_of_our_own_is_not_hidden(tercel, install, value):
    install(broken=value)
    assert isinstance(tercel("broken").exception, ModuleNotFoundError)


def test_errors_of_installed_commands_are_reported_alike(tercel, install):
    install(refuse="tercel_fake:refuse", stop="tercel_fake:interrupted")
    result = tercel("refuse")
    assert (result.exit_code, result.stderr) == (2, "error: the rule\n")
    assert tercel("stop").exit_code == 130


def test_unknown_commands_and_options(tercel):
    for arguments in (("fly",), ("run", "--fly")):
        result = tercel(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "fly" in result.stderr


def test_version(tercel):
    assert tercel("--version").stdout == "tercel 0.1.0\n"
