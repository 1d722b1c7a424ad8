"""Tests that need their own process: signals, pipes, terminals, imports."""

import json
import os
import pty
import signal
import subprocess
import sys

LONG = ("--prompt", "ab", "--seed", "1", "--ignore-eos", "-n", "4000")


def interrupted(process):
    """Send Ctrl-C once the text has begun; return the rest of the output."""
    begun = process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return begun + out, err.decode()


def test_ctrl_c_flushes_the_text_and_prints_statistics(start, model):
    process = start("run", model, *LONG, "--stats")
    text, errors = interrupted(process)
    assert process.returncode == 130
    assert text.endswith(b"\n")
    assert text.decode()
    assert "Traceback" not in errors
    assert "interrupted, seed 1" in errors
    assert 1 <= int(errors.split("generated")[1].split()[0]) < 2000, "the text came late"


def test_ctrl_c_keeps_json_whole(start, model):
    process = start("run", model, *LONG, "--json")
    text, errors = interrupted(process)
    assert (process.returncode, errors) == (130, "")
    *pieces, end = map(json.loads, text.splitlines())
    assert end["finish_reason"] == "interrupted"
    assert end["statistics"]["generated_tokens"] == sum(
        piece["token"] is not None for piece in pieces
    )


def test_a_terminated_command_leaves_nothing_behind(tmp_path):
    code = """
import sys, time
from tercel.cli.app import app, main
from tercel.files import whole_file

@app.command()
def write(path: str) -> None:
    with whole_file(path) as file:
        file.write(b"half")
        print("begun", flush=True)
        time.sleep(60)

main()
"""
    command = [sys.executable, "-c", code, "write", tmp_path / "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert len(os.listdir(tmp_path)) == 1
        process.terminate()
        assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 143
    assert os.listdir(tmp_path) == []


def test_a_closed_pipe_ends_quietly(start, model):
    process = start("run", model, *LONG)
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


def test_a_pipe_that_closes_after_the_last_write_is_quiet_too(start, model):
    process = start("inspect", model)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


def test_a_command_of_another_package_may_leave_its_output_in_the_buffer():
    code = """
import typer
from tercel.cli.group import CommandGroup
app = typer.Typer(cls=CommandGroup)
app.callback()(lambda: None)
app.command("talk")(lambda: print("x"))
app()
"""
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(
        [sys.executable, "-c", code, "talk"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


def test_output_that_the_terminal_cannot_write_is_replaced(start, model):
    process = start("run", model, "-p", "\u20ac", "-n", "1", "--echo")
    assert process.communicate(timeout=60)[0].startswith("\u20ac".encode())
    command = [
        sys.executable,
        "-m",
        "tercel",
        "run",
        model,
        "-p",
        "\u20ac",
        "-n",
        "1",
        "--echo",
    ]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    assert result.stdout.startswith(b"?")


def test_a_terminal_is_asked_line_by_line(start, model):
    own, theirs = pty.openpty()
    process = start("run", model, "--seed", "5", "-n", "3", stdin=theirs)
    os.close(theirs)
    os.write(own, b"ab\n\nab\n\x04")
    out, err = process.communicate(timeout=60)
    os.close(own)
    assert process.returncode == 0
    first, second = out.decode().rstrip("\n").split("\n") if out.count(b"\n") == 2 else (1, 2)
    assert first == second
    assert err.decode().count("> ") == 4


def test_a_bad_prompt_at_a_terminal_is_told_and_the_next_one_asked_for(start, model):
    own, theirs = pty.openpty()
    process = start("run", model, "--seed", "5", "-n", "3", "--context", "8", stdin=theirs)
    os.close(theirs)
    os.write(own, b"a\xffb\nabcdefghi\nab\n\x04")
    out, err = process.communicate(timeout=60)
    os.close(own)
    assert process.returncode == 0
    assert out.count(b"\n") == 1
    errors = [line.partition("error: ")[2] for line in err.decode().splitlines()[1:3]]
    assert errors[0].startswith("the prompt must be UTF-8: 'utf-8' codec can't decode byte 0xff")
    assert errors[1].startswith("the prompt has 9 tokens, but of the context's 8 positions 8 are")
    assert err.decode().count("> ") == 4


def test_a_bad_option_at_a_terminal_ends_the_program(start, model):
    own, theirs = pty.openpty()
    process = start("run", model, "--stop", "a<end>", stdin=theirs)
    os.close(theirs)
    os.write(own, b"ab\nab\n\x04")
    out, err = process.communicate(timeout=60)
    os.close(own)
    assert (process.returncode, out) == (2, b"")
    assert err.decode().endswith("must stand alone, but '<end>' is a part of 'a<end>'\n")


def test_ctrl_c_at_a_terminal_ends_the_text_alone(start, model):
    own, theirs = pty.openpty()
    process = start("run", model, "--ignore-eos", "-n", "4000", stdin=theirs)
    os.close(theirs)
    os.write(own, b"ab\n")
    process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    os.write(own, b"\x04")
    process.communicate(timeout=60)
    os.close(own)
    assert process.returncode == 0


def test_ctrl_c_ends_an_answer_and_not_the_conversation(start, chat_model):
    command = ("chat", chat_model, "--seed", "1", "--ignore-eos", "-n", "4000")
    process = start(*command, stdin=subprocess.PIPE)
    for question in (b"one\n", b"two\n"):
        process.stdin.write(question)
        process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == b"note: interrupted\n"
        assert os.read(process.stdout.fileno(), 1 << 16).endswith(b"\n")
    process.communicate(b"/exit\n", timeout=60)
    assert process.returncode == 0


def test_a_conversation_at_a_terminal(start, chat_model, tmp_path):
    own, theirs = pty.openpty()
    process = start("chat", chat_model, "--seed", "5", "-n", "3", stdin=theirs)
    os.close(theirs)
    os.write(own, b"one\n/wrong\n/help\n\x04")
    out, err = process.communicate(timeout=60)
    os.close(own)
    assert process.returncode == 0
    assert out
    assert err.startswith(b"Type a message; /help lists commands, Ctrl-D leaves.\n> ")
    assert b"error: there is no command '/wrong'; there are /help" in err
    assert b"/save FILE" in err


def test_a_terminal_cannot_have_json(start, model):
    own, theirs = pty.openpty()
    process = start("run", model, "--json", stdin=theirs)
    os.close(theirs)
    out, err = process.communicate(timeout=60)
    os.close(own)
    assert (process.returncode, out) == (2, b"")
    assert err.decode() == "error: --json needs a prompt: give --prompt or pipe one in\n"


def test_help_and_run_load_no_outer_package(model):
    code = f"""
import sys
from typer.testing import CliRunner
from tercel.cli.app import app
for arguments in (["--help"], ["quantize", "--help"], ["run", {model!r}, "-p", "a", "-n", "1"]):
    assert CliRunner().invoke(app, arguments).exit_code == 0, arguments
outer = {{"torch", "transformers", "amaranth", "cocotb"}} & set(sys.modules)
assert not outer, outer
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_entry_point_is_installed():
    script = os.path.join(os.path.dirname(sys.executable), "tercel")
    result = subprocess.run([script, "--version"], capture_output=True, timeout=60, text=True)
    assert result.stdout.startswith("tercel ")
