"""llama.cpp on a GGUF file, asked through its own server in this process."""

import json
import urllib.request
from pathlib import Path

import pytest

xllamacpp = pytest.importorskip("xllamacpp")

SECONDS = 60


class LlamaCpp:
    """A model, opened by llama.cpp on one thread.

    Raises
    ------
    RuntimeError
        If llama.cpp refuses the file.
    """

    def __init__(self, path: Path):
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_ctx = 256
        parameters.n_gpu_layers = 0
        parameters.cpuparams.n_threads = 1
        parameters.cpuparams_batch.n_threads = 1
        parameters.warmup = False
        parameters.fit_params = False
        parameters.verbosity = 0
        self._server = xllamacpp.Server(parameters)

    def tokenize(self, text: str) -> list[int]:
        """Ids of a text; special tokens spelled out become those tokens."""
        return self._post("tokenize", content=text, add_special=True, parse_special=True)["tokens"]

    def greedy(self, tokens: list[int], count: int) -> list[int]:
        """The next tokens by the highest logit."""
        answer = self._post(
            "completion",
            prompt=tokens,
            n_predict=count,
            temperature=0.0,
            top_k=1,
            samplers=["top_k"],
            return_tokens=True,
            ignore_eos=True,
        )
        return answer["tokens"]

    def _post(self, path: str, **fields) -> dict:
        request = urllib.request.Request(
            f"{self._server.listening_address}/{path}",
            json.dumps(fields).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)
