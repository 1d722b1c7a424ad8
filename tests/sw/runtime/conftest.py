"""A device whose logits are a known function of the sequence."""

import dataclasses

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.device import Ask, Counters, Device, Limits, PassResult
from tercel.runtime import TextTokenizer

EOS = 256
CONFIG = dataclasses.replace(PRESETS["tiny"], vocab_size=257, eos_tokens=(EOS,), context=128)


class FakeDevice(Device):
    """A device whose logits depend on the sequence only: by hash or by a script.

    A script has the token at every position of the sequence, including the prompt; its next token
    gets the highest logit.
    """

    def __init__(self, *, script=None, nodes=4, context=64, top_k=16, config=CONFIG):
        self._config = config
        self._limits = Limits(nodes=nodes, context=context, top_k=top_k)
        self._script = script
        self.sequence: list[int] = []
        self.asks: list[Ask] = []
        self._pending: list[int] = []
        self._counters = Counters()

    @property
    def config(self):
        return self._config

    @property
    def limits(self):
        return self._limits

    @property
    def length(self):
        return len(self.sequence)

    @property
    def counters(self):
        return self._counters

    def reset(self):
        self.sequence = []

    def save(self):
        raise NotImplementedError

    def restore(self, cache, length):
        raise NotImplementedError

    def run_pass(self, tokens=None, *, embedding_rows=None, parents=None, base=None, ask=Ask()):
        self.check_pass(tokens, embedding_rows, parents, base, ask)
        self.asks.append(ask)
        self._pending = list(tokens)
        counters = Counters(
            passes=1,
            nodes=len(tokens),
            tape_bytes_read=1000,
            kv_bytes_read=10 * self.length,
            kv_bytes_written=10 * len(tokens),
        )
        self._counters += counters
        logits = np.stack(
            [self._logits(self.sequence + self._pending[: i + 1]) for i in range(len(tokens))]
        )
        order = np.argsort(-logits, axis=1, kind="stable")
        return PassResult(
            argmax=order[:, 0].astype(np.int32) if ask.argmax else None,
            top_ids=order[:, : ask.top_k].astype(np.int32) if ask.top_k else None,
            top_logits=np.take_along_axis(logits, order, 1)[:, : ask.top_k] if ask.top_k else None,
            logits={node: logits[node] for node in ask.logits},
            counters=counters,
        )

    def commit(self, path):
        self.sequence += [self._pending[node] for node in path]

    def _logits(self, sequence):
        rng = np.random.default_rng(sequence)
        logits = rng.normal(0, 2, self._config.vocab_size).astype(np.float32)
        if self._script is not None:
            logits[self._script[len(sequence)]] = 50
        return logits


@pytest.fixture(scope="session")
def tokenizer(byte_tokenizer):
    return TextTokenizer(byte_tokenizer)


@pytest.fixture
def make_device():
    return FakeDevice
