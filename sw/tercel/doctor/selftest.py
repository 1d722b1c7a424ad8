"""Passes that the emulator has recorded, played on an accelerator and compared bit for bit."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from tercel.config import ModelConfig
from tercel.device import Ask, Device, PassResult
from tercel.device.accelerator import AcceleratorDevice
from tercel.device.board import Board
from tercel.device.registers import REGISTERS
from tercel.doctor.finding import Finding
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.program import AcceleratorSpec, memory_map

__all__ = ["Selftest", "compare_counters", "draws", "pass_fields", "recorded_ask"]

RECORDED = "selftest.json"
TOLERANCE = 0.3
"""Deviation of the cycles from their prediction that is no finding: memories differ."""


@dataclass(frozen=True, kw_only=True)
class Selftest:
    """Recorded passes of a small random model.

    Every sequence begins with an empty cache. Its passes have a tree of tokens, the path that is
    committed, what is asked, the fields of the result as text, and, for chains, the cycles that the
    cycle model predicts for an accelerator by its registers ``caps`` and ``shape``.
    """

    model: ModelConfig
    seed: int
    draws: str
    """Digest of random numbers, which decide the model."""
    sequences: list[list[dict[str, Any]]]

    @classmethod
    def load(cls) -> "Selftest":
        """The passes that are shipped."""
        recorded = json.loads(files("tercel.doctor").joinpath(RECORDED).read_text())
        model = ModelConfig.from_json(json.dumps(recorded.pop("model")))
        return cls(model=model, **recorded)

    def words(self, spec: AcceleratorSpec) -> int:
        """Words of memory that :meth:`run` needs."""
        context = min(self.model.context, spec.positions)
        return memory_map(config=self.model, spec=spec, context=context).words

    def image(self, spec: AcceleratorSpec, folder: Path) -> Image:
        """The model's image for an accelerator.

        Raises
        ------
        TercelError
            If this NumPy draws other numbers than the recording one.
        """
        if draws(self.seed) != self.draws:
            raise TercelError(
                f"NumPy {np.__version__} draws other random numbers than the recorded passes need; "
                "install NumPy 1.26 or 2.x"
            )
        path = folder / "selftest.tercel"
        random_image(path, self.model, layout=spec.layout, seed=self.seed)
        return Image.open(path)

    def run(self, board: Board, spec: AcceleratorSpec) -> Iterator[Finding]:
        """Play the passes that the accelerator has lanes for; a finding for bits, one for counters.

        The memory is overwritten.
        """
        with tempfile.TemporaryDirectory() as folder:
            image = self.image(spec, Path(folder))
            device = AcceleratorDevice(image, board, spec=spec)
            played, wrong, counted = 0, None, []
            for sequence in self.sequences:
                if max(len(step["tokens"]) for step in sequence) > spec.nodes or wrong:
                    continue
                device.reset()
                for step in sequence:
                    played += 1
                    if wrong := self._play(device, board, spec, step, counted):
                        break
            compute = sum(
                segment.rows * len(segment.form(spec.layout).row_chunks.sizes)
                for segment in image.segments
                if segment.ternary and segment.played
            )
        if wrong:
            yield Finding(
                name="selftest",
                level="failure",
                state=f"pass {played}: {wrong}",
                remedy="the overlay does not meet its timing, its clock is wrong, or its memory is "
                "not flushed: do not use its results",
            )
            return
        yield Finding(
            name="selftest", level="ok", state=f"{played} passes equal the emulator bit for bit"
        )
        yield from compare_counters(counted, compute)

    def _play(
        self,
        device: Device,
        board: Board,
        spec: AcceleratorSpec,
        step: Mapping[str, Any],
        counted: list[dict[str, int]],
    ) -> str | None:
        """Play a pass; return the first difference, if there is one."""
        ask = recorded_ask(step["ask"])
        result = device.run_pass(step["tokens"], parents=step["parents"], ask=ask)
        found = pass_fields(result, ask)
        counts = {name: _long(board, name.upper()) for name in ("cycles", "compute", "bytes_read")}
        counted.append(counts | {"least": result.counters.bytes_read})
        predicted = step["cycles"].get(f"{spec.caps:08x}-{spec.shape:08x}")
        if predicted:
            counted[-1]["predicted"] = predicted
        for name, expected in step["fields"].items():
            if found[name] != expected:
                return f"{name} is {found[name][:32]}..., but should be {expected[:32]}..."
        device.commit(step["path"])
        return None


def recorded_ask(fields: Mapping[str, Any]) -> Ask:
    """The ask of a recorded pass, of the fields that are not the defaults."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    return Ask(**values)


def draws(seed: int) -> str:
    """Digest of the random numbers of each kind that decide a random image."""
    rng = np.random.default_rng([seed, 7])
    drawn = rng.integers(-1, 2, 64, np.int8).tobytes() + rng.integers(-127, 128, 64).tobytes()
    drawn += rng.uniform(0.8, 1.25, 64).tobytes() + rng.normal(1.0, 0.1, 64).tobytes()
    return hashlib.sha256(drawn).hexdigest()


def pass_fields(result: PassResult, ask: Ask) -> dict[str, str]:
    """The bits of a pass's results as hexadecimal text by name."""
    fields = {"argmax": result.argmax, "top_ids": result.top_ids, "top_logits": result.top_logits}
    fields |= {f"logits of node {node}": result.logits[node] for node in ask.logits}
    fields |= {f"hidden state of node {node}": result.hidden[node] for node in ask.hidden}
    return {
        name: np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<")).tobytes().hex()
        for name, value in fields.items()
        if value is not None
    }


def compare_counters(counted: list[dict[str, int]], compute: int) -> Iterator[Finding]:
    """Compare the counters of passes with what their model demands.

    Parameters
    ----------
    counted
        For each pass ``cycles``, ``compute`` and ``bytes_read``, the ``least`` bytes that it reads,
        and the ``predicted`` cycles if there are any.
    compute
        Row-chunks of the model.
    """
    for counts in counted:
        if counts["compute"] != compute or counts["bytes_read"] < counts["least"]:
            yield Finding(
                name="counters",
                level="failure",
                state=f"a pass took {counts['compute']} row-chunks and read {counts['bytes_read']} "
                f"bytes, but has {compute} and at least {counts['least']}",
                remedy="sidecar and bitstream are of different builds: take both from one",
            )
            return
    pairs = [(counts["cycles"], counts["predicted"]) for counts in counted if "predicted" in counts]
    worst = max((found / expected - 1 for found, expected in pairs), key=abs, default=0.0)
    state = f"row-chunks and bytes of {len(counted)} passes are right"
    if not pairs:
        yield Finding(
            name="counters", level="ok", state=f"{state}; cycles are predicted for presets alone"
        )
    elif abs(worst) > TOLERANCE:
        yield Finding(
            name="counters",
            level="warning",
            state=f"{state}, but cycles differ by up to {worst:+.0%} from the cycle model",
            remedy="other traffic slows the memory, or it is another than the model's",
        )
    else:
        yield Finding(
            name="counters", level="ok", state=f"{state}, cycles within {worst:+.0%} of the model"
        )


def _long(board: Board, name: str) -> int:
    low, high = (board.read_register(REGISTERS[name] + 4 * half) for half in range(2))
    return low | high << 32
