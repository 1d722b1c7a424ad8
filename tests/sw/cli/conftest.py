import dataclasses
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.config import PRESETS
from tercel.image import ChatFormat, Image, SamplingFilters, random_image

EOS = 256


@pytest.fixture(scope="session")
def model(tmp_path_factory, byte_tokenizer):
    """The path of a small random image that reads and writes bytes."""
    path = tmp_path_factory.mktemp("models") / "bytes.tercel"
    config = dataclasses.replace(
        PRESETS["tiny"], name="bytes", vocab_size=257, eos_tokens=(EOS,), context=4096
    )
    random_image(path, config, seed=2, tokenizer=byte_tokenizer)
    return str(path)


@pytest.fixture(scope="session")
def listed_model(tmp_path_factory, byte_tokenizer, model):
    """The path of the same model with a shortlist, a random one, of 32 rows."""
    path = tmp_path_factory.mktemp("models") / "listed.tercel"
    config = dataclasses.replace(Image.open(model).config, shortlist=32)
    random_image(path, config, seed=2, tokenizer=byte_tokenizer)
    return str(path)


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory, byte_tokenizer, model):
    """The same model with a chat template and a sampling of its own."""
    path = tmp_path_factory.mktemp("models") / "chat.tercel"
    config = dataclasses.replace(Image.open(model).config, name="chat")
    template = (
        "{% for message in messages %}[{{ message.role }}] {{ message.content }}{{ eos_token }}\n"
        "{% endfor %}[assistant] "
    )
    random_image(
        path,
        config,
        seed=2,
        tokenizer=byte_tokenizer,
        chat=ChatFormat(template=template, special_tokens={"eos_token": "<end>"}),
        sampling=SamplingFilters(temperature=0.7, top_k=30),
    )
    return str(path)


@pytest.fixture
def tercel():
    """Run a command line in this process."""

    def invoke(*arguments, stdin=None):
        return CliRunner().invoke(app, list(arguments), input=stdin)

    return invoke


@pytest.fixture
def start():
    """Start a command line as a process; it is killed at the end of the test."""
    processes = []

    def popen(*arguments, **kwargs):
        process = subprocess.Popen(
            [sys.executable, "-m", "tercel", *arguments],
            bufsize=0,
            env={**os.environ, "PYTHONUNBUFFERED": "", "OPENBLAS_NUM_THREADS": "1"},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kwargs},
        )
        processes.append(process)
        return process

    yield popen
    for process in processes:
        process.kill()
        process.communicate()
