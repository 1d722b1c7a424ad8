"""Other accelerators and other models, each in sequences of random trees up to a full context.

Eight compilations and some 1000 passes: about fifteen minutes on two free cores, eight once they
are compiled.
"""

import random
from dataclasses import replace

import numpy as np
import pytest

from tercel.config import ModelConfig
from tercel.device import Ask
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.top import ACCELERATORS, AcceleratorConfig
from tercel_sim.ddr import DDR

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TINY, GROUPS = ACCELERATORS["tiny"], ACCELERATORS["kv260-groups"]
INDEX5 = TlmmConfig(code="index5", tables=8, nodes=8, block_rows=16, generators=3, max_columns=512)
WIDE = TlmmConfig(tables=11, nodes=3, block_rows=32, max_columns=512)
MIDDLE = TlmmConfig(code="index5", tables=5, nodes=2, block_rows=4, generators=5, max_columns=256)


def reduced(preset: str, **limits: int) -> AcceleratorConfig:
    """A board's accelerator with its lanes, words, bursts and memories, but small limits."""
    full = ACCELERATORS[preset]
    tlmm = replace(full.tlmm, tables=7, block_rows=16, generators=3, max_columns=512)
    return replace(full, tlmm=tlmm, rows=512, top_k=8, tape_words=128, **limits)


ACCELERATOR = {
    "ultra96v2, reduced": reduced("ultra96v2", hidden=160, head_size=96, heads=4, positions=128),
    "pynq-z2, reduced": reduced("pynq-z2", hidden=160, head_size=48, heads=4, positions=100),
    "one port, one lane": replace(TINY, tlmm=replace(TINY.tlmm, nodes=1), ports=1, port_bytes=16),
    "index5, eight lanes": replace(
        TINY,
        tlmm=INDEX5,
        hidden=160,
        head_size=96,
        heads=5,
        positions=256,
        rows=512,
        top_k=16,
    ),
    "words of 64, three lanes": AcceleratorConfig(
        tlmm=WIDE,
        hidden=192,
        head_size=96,
        heads=4,
        positions=128,
        rows=512,
        top_k=4,
        tape_words=128,
        burst_beats=8,
        read_bursts=9,
        outstanding_reads=3,
    ),
    "words of 32, two lanes": AcceleratorConfig(
        tlmm=MIDDLE,
        ports=2,
        hidden=96,
        head_size=32,
        heads=8,
        positions=100,
        rows=300,
        top_k=2,
        tape_words=64,
        burst_beats=4,
        read_bursts=2,
        outstanding_reads=2,
        address_width=36,
    ),
    "tiny": TINY,
    "kv260-groups, reduced": replace(
        GROUPS,
        tlmm=replace(GROUPS.tlmm, nodes=2, block_rows=32, max_columns=1024),
        hidden=512,
        heads=4,
        head_size=96,
        positions=64,
        rows=512,
        top_k=8,
        tape_words=256,
        shortlist=128,
    ),
}
SHAPES = ("layers", "hidden_size", "ffn_size", "heads", "kv_heads", "head_size", "vocab_size")
RELU2 = {"activation": "relu2"}
OWN_HEAD = {"tied_head": False}
NORMS = {"sub_norms": True}
IN_GROUPS = {"granularity": "group", "qk_norm": True}
TERNARY_HEAD = {"ternary_head": True}
MODELS = [
    ("one port, one lane", (2, 64, 160, 4, 2, 16, 96), {}),
    ("one port, one lane", (1, 100, 250, 4, 4, 48, 256), RELU2 | NORMS),
    ("index5, eight lanes", (1, 160, 512, 5, 1, 96, 512), NORMS),
    ("index5, eight lanes", (2, 48, 33, 4, 4, 16, 96), RELU2 | OWN_HEAD),
    ("index5, eight lanes", (2, 33, 91, 3, 3, 80, 500), {}),
    ("words of 64, three lanes", (1, 192, 500, 4, 1, 96, 300), {}),
    ("words of 64, three lanes", (1, 63, 65, 4, 4, 48, 512), RELU2 | NORMS | OWN_HEAD),
    ("words of 64, three lanes", (3, 40, 31, 4, 2, 16, 20), {}),
    ("words of 32, two lanes", (1, 96, 256, 8, 1, 32, 299), RELU2),
    ("words of 32, two lanes", (1, 20, 19, 1, 1, 16, 7), NORMS | OWN_HEAD),
    ("ultra96v2, reduced", (2, 160, 400, 4, 2, 96, 500), RELU2 | NORMS),
    ("ultra96v2, reduced", (1, 70, 130, 3, 1, 64, 300), OWN_HEAD),
    ("pynq-z2, reduced", (2, 160, 512, 4, 4, 48, 512), NORMS),
    ("pynq-z2, reduced", (1, 60, 100, 2, 1, 32, 200), RELU2 | OWN_HEAD),
    ("kv260-groups, reduced", (1, 500, 1000, 4, 2, 96, 300), IN_GROUPS | TERNARY_HEAD),
    ("kv260-groups, reduced", (2, 130, 400, 4, 1, 48, 90), IN_GROUPS | OWN_HEAD | NORMS),
    ("kv260-groups, reduced", (1, 200, 385, 2, 2, 64, 512), {"granularity": "row"} | RELU2),
    ("kv260-groups, reduced", (1, 96, 390, 4, 4, 16, 100), {"qk_norm": True} | NORMS),
    ("kv260-groups, reduced", (1, 300, 400, 4, 2, 48, 509), {"shortlist": 64} | IN_GROUPS),
    ("kv260-groups, reduced", (1, 64, 300, 2, 1, 96, 400), {"shortlist": 128} | OWN_HEAD),
    ("tiny", (2, 128, 256, 4, 2, 48, 256), OWN_HEAD),
    ("tiny", (1, 17, 23, 2, 1, 32, 16), RELU2 | NORMS),
]


def random_tree(draw, nodes):
    return [-1, *(draw.randrange(node) for node in range(1, nodes))]


def random_path(draw, parents):
    """From node 0 on down, not always to a leaf."""
    path = [0]
    while draw.random() < 0.8:
        children = [node for node, parent in enumerate(parents) if parent == path[-1]]
        if not children:
            break
        path.append(draw.choice(children))
    return path


@pytest.mark.parametrize(
    ("name", "shape", "kind"), MODELS, ids=[f"{name} {shape}" for name, shape, _ in MODELS]
)
def test_random_trees_up_to_a_full_context(lockstep, name, shape, kind):
    accelerator = ACCELERATOR[name]
    fields = dict(zip(SHAPES, shape, strict=True))
    model = ModelConfig(name="sweep", context=accelerator.positions, **fields, **kind)
    ddr = replace(DDR["kv260-13.3"], pause=0.2, seed=3)
    pair = lockstep(model, accelerator, ddr=ddr)
    draw, noise = random.Random(str(shape)), np.random.default_rng(7)
    context, nodes = pair.rtl.limits.context, accelerator.nodes

    def tokens(count):
        return [draw.randrange(model.vocab_size) for _ in range(count)]

    def ask(count):
        every, two_stage = tuple(range(count)), model.shortlist > 0 and draw.random() < 0.8
        return Ask(
            top_k=min(accelerator.top_k, model.vocab_size),
            logits=() if two_stage else every,
            hidden=every,
            two_stage=two_stage,
        )

    for filled in (0, context // 2, context - 2 * nodes):
        pair.prefill(tokens(max(0, filled - pair.rtl.length)))
        for _ in range(3):
            count = min(draw.randint(1, nodes), context - pair.rtl.length)
            if count:
                parents = random_tree(draw, count)
                path = random_path(draw, parents)
                every = {"ask": ask(count), "parents": parents, "path": path}
                some = {node: noise.normal(size=shape[1]) for node in range(count) if node % 3 == 1}
                given = [None if node in some else t for node, t in enumerate(tokens(count))]
                pair.step(given, embedding_rows=some, **every)
    while left := context - pair.rtl.length:
        count = min(nodes, left)
        pair.step(tokens(count), ask=ask(count))
    pair.reset()
    pair.step(tokens(1))
