"""Standard output that fails is one line and status 2, whatever the command."""

import errno
import io
import os
import subprocess
import sys

import pytest
from broken_output import MESSAGE, status_of
from hindrances import full_disk
from typer.main import get_command

from tercel.cli.app import app
from tercel.cli.group import CommandGroup
from tercel.cli.streams import OutputError, standard_streams

TERCEL = (sys.executable, "-m", "tercel")


def commands():
    group = get_command(app)
    assert isinstance(group, CommandGroup)
    return group.list_commands(None)  # pyright: ignore


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "MODEL", "--prompt", "ab", "-n", "3", "--seed", "1"),
        ("run", "MODEL", "--prompt", "ab", "-n", "3", "--json"),
        ("run", "MODEL", "--prompt", "ab", "-n", "3", "--echo"),
        ("inspect", "MODEL"),
        ("inspect", "MODEL", "--json"),
        *(
            ("bench", "MODEL", "-p", "2", "-n", "2", "-v", "1", "-r", "1", "-o", form)
            for form in ("md", "csv", "json")
        ),
        ("--help",),
        ("--version",),
    ],
    ids=" ".join,
)
def test_each_form_of_output(model, arguments, tmp_path, capsys):
    arguments = [model if argument == "MODEL" else argument for argument in arguments]
    assert status_of(arguments, tmp_path) == 2
    assert capsys.readouterr().err == MESSAGE


@pytest.mark.parametrize("command", commands())
def test_the_help_of_each_command(command, tmp_path, capsys):
    assert status_of((command, "--help"), tmp_path) == 2
    assert capsys.readouterr().err == MESSAGE


@pytest.mark.parametrize("options", [(), ("-u",)], ids=["buffered", "unbuffered"])
def test_a_full_disk(model, options, tmp_path):
    with open(tmp_path / "text", "wb") as file, full_disk(after=10):
        arguments = ("run", model, "-p", "abcdefghijklmn", "-n", "3", "--echo")
        command = (TERCEL[0], "-B", *options, *TERCEL[1:], *arguments)
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, timeout=60, check=False)
    reason = os.strerror(errno.EFBIG)
    assert done.stderr.decode() == f"error: standard output cannot be written: {reason}\n"
    assert done.returncode == 2
    assert (tmp_path / "text").read_bytes() == b"abcdefghij"


@pytest.mark.parametrize(
    "arguments", [("--version",), ("run", "MODEL", "-p", "a", "-n", "1", "--echo")]
)
def test_a_closed_standard_output(model, arguments):
    arguments = [model if argument == "MODEL" else argument for argument in arguments]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *TERCEL, *arguments],
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (2, MESSAGE)


@pytest.mark.parametrize("how", ["2>&-", '2< "$0"'], ids=["closed", "unwritable"])
def test_a_failing_standard_error_changes_nothing(model, how, tmp_path):
    (tmp_path / "unwritable").touch()
    arguments = ("run", model, "-p", "ab", "-n", "5", "--seed", "1")

    def result(redirection, *options):
        shell = ["sh", "-c", f'exec "$@" {redirection}', str(tmp_path / "unwritable")]
        command = [*shell, *TERCEL, *arguments, *options]
        return subprocess.run(command, stdout=subprocess.PIPE, timeout=60, check=False)

    done, sound = result(how, "--stats"), result("")
    assert (done.returncode, done.stdout) == (0, sound.stdout)
    assert done.stdout


def test_help_whose_reader_has_gone_is_quiet(start):
    process = start("--help")
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


def test_bytes_and_text_keep_their_order(tmp_path, monkeypatch):
    with open(tmp_path / "out", "w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        print("first", end=" ")
        with standard_streams():
            assert not sys.stdout.isatty()
            assert sys.stdout.fileno() == file.fileno()
            print("second", end=" ")
            sys.stdout.flush()
            sys.stdout.buffer.write(b"third ")
            print("\u20ac" * 5000, "\udcff")
        print("fourth")
    expected = "first second third " + "\u20ac" * 5000 + " ?\nfourth\n"
    assert (tmp_path / "out").read_text() == expected


def test_output_fails_once(monkeypatch, tmp_path):
    """Later output is dropped, so that the flush at the end of the process does not fail."""
    (tmp_path / "empty").touch()
    with open(tmp_path / "empty") as file:
        raw = io.FileIO(file.fileno(), "wb", closefd=False)
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
        with standard_streams():
            print("lost")
            with pytest.raises(OutputError, match="cannot be written: Bad file descriptor"):
                sys.stdout.flush()
            print("lost too", flush=True)


def test_streams_without_a_descriptor_stay(monkeypatch):
    own = io.StringIO()
    monkeypatch.setattr(sys, "stdout", own)
    with standard_streams():
        assert sys.stdout is own
