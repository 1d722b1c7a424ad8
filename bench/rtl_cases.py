"""The cases of ``bench/rtl.py``: single passes on the simulated kv260, compared bit for bit."""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from tercel.config import PRESETS, ModelConfig
from tercel.device import Ask, KVCache
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, random_image
from tercel.program import PassBuilder, memory_map
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.cycle_model.requests import chain_request
from tercel_sim.ddr import DDR
from tercel_sim.lockstep import Lockstep
from tercel_sim.measurement import measure_pass
from tercel_sim.rtl_device import RtlDevice

__all__ = [
    "ACCELERATOR",
    "CASES",
    "CHUNKS",
    "QUICK",
    "TOP_K",
    "Case",
    "make_images",
    "predict_case",
    "random_cache",
    "run_case",
]

ACCELERATOR = ACCELERATORS["kv260"]
IMAGES = Path(__file__).parents[1] / "build" / "bench"
MODELS = ("0.7b", "2b")
MEMORIES = ("kv260-13.3", "kv260-15.0", "kv260-16.0")
NODES = (1, ACCELERATOR.nodes)
BASES = (0, 128, 1024)
CHUNKS = range(0, 128, ACCELERATOR.nodes)
"""Base of each pass of a prompt of 128 tokens."""
TOP_K = 8
"""Ranks of the top-k that passes with a head ask for."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A pass to simulate or predict."""

    model: str
    part: str
    """``whole``: the whole model. ``layer``: one layer without the head. ``chunk``: the same, for
    the attention of a prompt. ``head``: one layer and the head. ``prompt``: the whole model without
    the head, only predicted."""
    nodes: int
    base: int
    memory: str

    @property
    def name(self) -> str:
        return f"{self.model}/{self.part}/k{self.nodes}/c{self.base}/{self.memory}"

    @property
    def headed(self) -> bool:
        return self.part in ("whole", "head")

    @property
    def config(self) -> ModelConfig:
        preset = PRESETS[self.model]
        return preset if self.part in ("whole", "prompt") else replace(preset, layers=1)

    @property
    def asked(self) -> dict:
        """Keyword arguments of ``predict_pass`` and ``chain_request``."""
        rows = self.config.vocab_size if self.headed else None
        top_k = TOP_K if self.headed else 0
        return {"nodes": self.nodes, "base": self.base, "head_rows": rows, "top_k": top_k}

    @property
    def image(self) -> Path:
        layout = hashlib.sha256(ACCELERATOR.layout.to_json().encode()).hexdigest()[:8]
        return IMAGES / f"rtl-{self.model}-{self.config.layers}-{layout}.tercel"

    @property
    def digest(self) -> str:
        """Hash of the config, the memory and the program, which with the accelerator determine the
        result."""
        config, spec = self.config, ACCELERATOR.spec
        context = min(config.context, spec.positions)
        places = memory_map(config=config, spec=spec, context=context)
        builder = PassBuilder(config=config, spec=spec, memory_map=places)
        digest = hashlib.sha256(f"{config!r} {DDR[self.memory]!r}".encode())
        for command in builder.build(chain_request(config, **self.asked)):
            digest.update(command)
        return digest.hexdigest()[:16]


def _cases() -> Iterable[Case]:
    """All cases, longest first, so that the processes end at about the same time."""
    for model, base, nodes, memory in product(reversed(MODELS), BASES, NODES, MEMORIES):
        # The head of 2b takes minutes, so it runs with all memories at one base only.
        if model == "0.7b" or base == 128 or memory == "kv260-15.0":
            yield Case(model=model, part="head", nodes=nodes, base=base, memory=memory)
    for nodes, memory in product(NODES, MEMORIES):
        yield Case(model="0.7b", part="whole", nodes=nodes, base=128, memory=memory)
    for model, base, nodes, memory in product(reversed(MODELS), reversed(BASES), NODES, MEMORIES):
        yield Case(model=model, part="layer", nodes=nodes, base=base, memory=memory)
    for base, memory in product(CHUNKS, MEMORIES):
        yield Case(model="0.7b", part="chunk", nodes=ACCELERATOR.nodes, base=base, memory=memory)


CASES = {case.name: case for case in _cases()}
QUICK = [
    name
    for name, case in CASES.items()
    if case.memory == "kv260-15.0" and case.part == "layer" and case.base <= 128
]
"""Names of cases that take two minutes together."""


def make_images(cases: Iterable[Case]) -> None:
    """Write the random models that do not exist yet."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for path, config in {case.image: case.config for case in cases}.items():
        if not path.exists():
            random_image(path, config, layout=ACCELERATOR.layout)


def run_case(case: Case) -> dict:
    """Run a pass on both devices, on a cache of random positions.

    Returns
    -------
    The measurement, for JSON.

    Raises
    ------
    MismatchError
        If a bit of the best rows, of any node's residual stream or of the cache differs.
    """
    draw = np.random.default_rng([case.nodes, case.base])
    config, image = case.config, Image.open(case.image)
    ddr = DDR[case.memory]
    rtl = RtlDevice(image, accelerator=ACCELERATOR, ddr=ddr)
    emulator = EmulatorDevice(image, nodes=ACCELERATOR.nodes)
    pair = Lockstep(rtl, emulator)
    pair.restore(random_cache(config, case.base, draw), case.base)
    tokens = draw.integers(0, config.vocab_size, case.nodes).tolist()
    every = tuple(range(case.nodes))
    ask = Ask(argmax=case.headed, top_k=TOP_K if case.headed else 0, hidden=every)
    began, cycle = time.perf_counter(), rtl.board.cycles
    measured, _ = measure_pass(pair, tokens, ask)
    seconds, cycles = time.perf_counter() - began, rtl.board.cycles - cycle
    rtl.board.close()
    return {
        "digest": case.digest,
        "start": measured.start,
        "counted": measured.counted,
        "account": asdict(measured.account),
        "seconds": round(seconds, 1),
        "cycles_per_second": round(cycles / seconds),
    }


def predict_case(case: Case, start: int = 0) -> int:
    """Cycles by the cycle model for a pass that starts at cycle ``start`` of the memory."""
    ddr = DDR[case.memory]
    return predict_pass(case.config, ACCELERATOR, ddr, start=start, **case.asked).cycles


def random_cache(config: ModelConfig, positions: int, draw: np.random.Generator) -> KVCache:
    """Keys and values of so many positions, normally distributed."""
    cache = KVCache(config=config, positions=positions)
    shape = positions, config.kv_heads, config.head_size
    for layer in range(config.layers):
        keys, values = draw.standard_normal((2, *shape), np.float32)
        cache.write(layer, 0, keys, values)
    return cache
