"""A device whose logits are a known function of the sequence."""

import dataclasses

import numpy as np

from tercel.config import PRESETS
from tercel.device import Ask, Counters, Device, Limits, PassResult

EOS = 256
CONFIG = dataclasses.replace(PRESETS["tiny"], vocab_size=257, eos_tokens=(EOS,), context=128)


class FakeDevice(Device):
    """A device whose logits depend on the sequence only: by hash or by a script.

    A script has the token at every position of the sequence, including the prompt; its next token
    gets the highest logit.
    """

    def __init__(self, *, script=None, nodes=4, context=64, top_k=16, config=CONFIG):
        super().__init__(None, Limits(nodes=nodes, context=context, top_k=top_k))
        self._config = config
        self._script = script
        self.sequence: list[int] = []
        self.asks: list[Ask] = []
        self._tokens: list[int] = []

    @classmethod
    def open(cls, image, options):
        raise NotImplementedError

    @property
    def config(self):
        return self._config

    def rewind(self, length):
        super().rewind(length)
        del self.sequence[length:]

    def read_cache(self, layer, positions):
        raise NotImplementedError

    def _write_cache(self, layer, view):
        pass

    def _move(self, path):
        pass

    def commit(self, path):
        path = list(path)
        super().commit(path)
        self.sequence += [self._tokens[node] for node in path]

    def _count(self, request):
        return Counters(
            passes=1,
            nodes=request.nodes,
            tape_bytes_read=1000,
            kv_bytes_read=10 * request.base,
            kv_bytes_written=10 * request.nodes,
        )

    def _run(self, request, rows):
        ask, tokens = request.ask, list(request.tokens)
        self.asks.append(ask)
        self._tokens = tokens
        paths: list[list[int]] = []
        for token, parent in zip(tokens, request.parents, strict=True):
            paths.append([*(paths[parent] if parent >= 0 else self.sequence), token])
        logits = np.stack([self._logits(path) for path in paths])
        order = np.argsort(-logits, axis=1, kind="stable")
        return PassResult(
            argmax=order[:, 0].astype(np.int32) if ask.argmax else None,
            top_ids=order[:, : ask.top_k].astype(np.int32) if ask.top_k else None,
            top_logits=np.take_along_axis(logits, order, 1)[:, : ask.top_k] if ask.top_k else None,
            logsumexp=np.logaddexp.reduce(logits.astype(float), axis=1) if ask.top_k else None,
            logits={node: logits[node] for node in ask.logits},
        )

    def _logits(self, sequence):
        rng = np.random.default_rng(sequence)
        logits = rng.normal(0, 2, self._config.vocab_size).astype(np.float32)
        if self._script is not None:
            logits[self._script[len(sequence)]] = 50
        return logits
