"""Writes the memory of the example and what the pass must leave in it: ``python make_pass.py``.

The files lie beside it, so the example needs no Python; this is for a pass of another kind.
"""

import tempfile
from pathlib import Path

import numpy as np

from tercel.config import ModelConfig
from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, random_image
from tercel.program import DeviceMemory, PassBuilder, Request, StripedMemory, memory_map
from tercel_hw.top import ACCELERATORS

__all__ = ["example"]

MODEL = ModelConfig(
    name="example",
    layers=1,
    hidden_size=32,
    ffn_size=40,
    heads=2,
    kv_heads=1,
    head_size=16,
    vocab_size=48,
    context=16,
)
TOKENS = (5, 9)
LIMIT = 100_000
"""Cycles after which the bench gives up: many times what the pass takes."""


def example(scratch: Path) -> dict[str, str]:
    """The files by name: contents of both ports, the expected lines, the bench's constants.

    Parameters
    ----------
    scratch
        A folder for the image of the random model.
    """
    spec = ACCELERATORS["tiny"].spec
    random_image(scratch / "example.tercel", MODEL, layout=spec.layout, seed=1)
    image = Image.open(scratch / "example.tercel")
    where = memory_map(config=MODEL, spec=spec, context=MODEL.context)
    ports = np.zeros((spec.layout.ports, where.words * spec.layout.port_bytes), np.uint8)
    memory = DeviceMemory(StripedMemory(ports, port_bytes=spec.layout.port_bytes), where)
    memory.load(image)
    ask = Ask(hidden=(0, 1))
    request = Request(config=MODEL, tokens=TOKENS, parents=(-1, 0), base=0, ask=ask)
    program = PassBuilder(config=MODEL, spec=spec, memory_map=where).build(request)
    memory.write_program(program)

    emulator = EmulatorDevice(image, nodes=spec.nodes, context=MODEL.context)
    result = emulator.run_pass(TOKENS, ask=ask)
    assert result.argmax is not None
    hidden = np.stack([result.hidden[node] for node in range(len(TOKENS))])
    lines = [result.argmax.view(np.uint32), *hidden.T.view(np.uint32)]
    constants = {
        "WORDS": where.words,
        "PROGRAM_ADDRESS": where.program.first_word,
        "PROGRAM_LENGTH": len(program),
        "ARGMAX_LINE": 2 * where.summary.first_word + 1,
        "HIDDEN_LINE": 2 * where.hidden.first_word,
        "LINES": len(lines),
        "LIMIT": LIMIT,
    }
    files = {f"port{port}.hex": _hex(content.view("<u8")) for port, content in enumerate(ports)}
    files["expected.hex"] = _hex([int(line[1]) << 32 | int(line[0]) for line in lines])
    text = [f"localparam {name} = {value};" for name, value in constants.items()]
    files["pass.vh"] = "\n".join(["// Written by make_pass.py.", *text]) + "\n"
    return files


def _hex(words) -> str:
    return "".join(f"{int(word):016x}\n" for word in words)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, text in example(Path(folder)).items():
            (Path(__file__).parent / name).write_text(text)
