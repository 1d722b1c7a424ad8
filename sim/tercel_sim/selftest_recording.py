"""Recording of the passes of ``tercel doctor --selftest``.

Results are the emulator's, cycles the cycle model's.

``python -m tercel_sim.selftest_recording`` writes the file that is shipped.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from tercel.config import ModelConfig
from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel.doctor import selftest
from tercel.image import Image, random_image
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model import predict_pass
from tercel_sim.ddr import DDR

__all__ = ["record"]

MODEL = ModelConfig(
    name="selftest",
    layers=2,
    hidden_size=48,
    ffn_size=64,
    heads=4,
    kv_heads=2,
    head_size=16,
    vocab_size=96,
    context=32,
)
SEED = 11
SEQUENCES: list[list[dict[str, Any]]] = [
    [
        {"tokens": [5], "ask": {"top_k": 4, "logits": [0], "hidden": [0]}},
        {"tokens": [17], "ask": {}},
        {"tokens": [90], "ask": {"top_k": 8}},
    ],
    [
        {"tokens": [1, 2, 3, 4], "ask": {"argmax": False}},
        {
            "tokens": [7, 8, 9, 10],
            "parents": [-1, 0, 0, 1],
            "path": [0, 2],
            "ask": {"top_k": 4, "logits": [1, 3], "hidden": [3]},
        },
        {"tokens": [11, 12, 13], "ask": {"top_k": 8, "logits": [2]}},
    ],
    [
        {"tokens": [20, 21, 22, 23, 24, 25, 26, 27], "ask": {"argmax": False}},
        {
            "tokens": [30, 31, 32, 33, 34, 35, 36, 37],
            "parents": [-1, 0, 0, 1, 1, 2, 3, 6],
            "path": [0, 1, 3, 6],
            "ask": {"top_k": 4, "logits": [7], "hidden": [0, 7]},
        },
        {"tokens": [40, 41], "ask": {"top_k": 2, "logits": [0, 1]}},
    ],
]


def record() -> dict[str, Any]:
    """Contents of the recorded file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "selftest.tercel"
        random_image(path, MODEL, seed=SEED)
        device = EmulatorDevice(Image.open(path), nodes=8)
        sequences = [_play(device, sequence) for sequence in SEQUENCES]
    return {
        "model": json.loads(MODEL.to_json()),
        "seed": SEED,
        "draws": selftest.draws(SEED),
        "sequences": sequences,
    }


def _play(device: EmulatorDevice, sequence: list[dict[str, Any]]) -> list[dict[str, Any]]:
    device.reset()
    steps = []
    for step in sequence:
        tokens, asked = step["tokens"], step["ask"]
        parents, path = step.get("parents"), step.get("path", list(range(len(tokens))))
        ask = selftest.recorded_ask(asked)
        base = device.length
        result = device.run_pass(tokens, parents=parents, ask=ask)
        device.commit(path)
        steps.append(
            {
                "tokens": tokens,
                "parents": parents,
                "path": path,
                "ask": asked,
                "fields": selftest.pass_fields(result, ask),
                "cycles": {} if parents or ask.logits else _cycles(len(tokens), base, ask),
            }
        )
    return steps


def _cycles(nodes: int, base: int, ask: Ask) -> dict[str, int]:
    """Predicted cycles of a chain on each preset that has lanes for it."""
    found = {}
    for accelerator in ACCELERATORS.values():
        spec = accelerator.spec
        if nodes > spec.nodes:
            continue
        prediction = predict_pass(
            MODEL,
            accelerator,
            DDR["kv260-15.0"],
            nodes=nodes,
            base=base,
            head_rows=MODEL.vocab_size if ask.argmax else None,
            top_k=ask.top_k,
        )
        found[f"{spec.caps:08x}-{spec.shape:08x}"] = prediction.cycles
    return found


if __name__ == "__main__":
    print(json.dumps(record(), indent=1))
