"""Every export of the shipped model, read by other tools, against the device on a text.

Evidence class: measured in software, on the machine that runs it:
`PYTHONPATH=tests/support python bench/exports.py`. A row tells the size, the seconds of the export,
at how many positions the tool's highest logit is the device's, and the largest difference of a
logit; llama.cpp gives no logits.
"""

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from llama_cpp import LlamaCpp
from onnx_sessions import emulator_logits, feed, run, session
from rich.console import Console
from rich.table import Table

from tercel.cli.units import format_bytes
from tercel.image import Image
from tercel.runtime import TextTokenizer, find_model
from tercel_export.formats import find_format

TEXT = Path(__file__).parents[1] / "docs" / "small.md"
TOKENS = 300
LEVEL = {"session.qdq_matmulnbits_accuracy_level": "1"}
CASES: dict[str, tuple[str, dict]] = {
    "onnx, onnxruntime": ("onnx", {}),
    "onnx-nbits, onnxruntime": ("onnx-nbits", {}),
    "onnx-dq, onnxruntime, level 1": ("onnx-dq", {}),
    "onnx-dq, onnxruntime as it comes": ("onnx-dq", {}),
    "huggingface, transformers": ("huggingface", {}),
    "gguf TQ1_0, llama.cpp": ("gguf", {"tensor_type": "TQ1_0"}),
    "gguf TQ2_0, llama.cpp": ("gguf", {"tensor_type": "TQ2_0"}),
    "qonnx, qonnx (32 positions)": ("qonnx", {}),
}


def onnxruntime_logits(image: Image, folder: Path, tokens: list[int], **options) -> np.ndarray:
    return run(session(folder / "model.onnx", **options), feed(image, tokens))["logits"][0]


def transformers_logits(folder: Path, tokens: list[int]) -> np.ndarray:
    torch.compile = lambda function: function  # compiling takes a minute, computing a second
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].numpy()


def qonnx_logits(folder: Path, tokens: list[int]) -> np.ndarray:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = ModelWrapper(str(folder / "model.onnx")).transform(InferShapes())
    return execute_onnx(model, {"input_ids": np.array([tokens])})["logits"][0]


def logits_of(case: str, image: Image, output: Path, tokens: list[int]) -> np.ndarray:
    """Logits of every position, or of the first 32."""
    if case.startswith("qonnx"):
        return qonnx_logits(output, tokens[:32])
    if case.startswith("huggingface"):
        return transformers_logits(output, tokens)
    return onnxruntime_logits(image, output, tokens, options=LEVEL if "level" in case else {})


def llama_argmax(path: Path, tokens: list[int]) -> np.ndarray:
    """The next token behind every fourth prefix."""
    llama = LlamaCpp(path)
    return np.array([llama.greedy(tokens[:end], 1)[0] for end in range(4, 201, 4)])


def agreement(case: str, image: Image, output: Path, tokens: list[int], device) -> tuple[str, str]:
    if case.startswith("gguf"):
        found, expected = llama_argmax(output, tokens), device[3:200:4].argmax(-1)
        return f"{np.sum(found == expected)} of {len(found)}", "-"
    logits = logits_of(case, image, output, tokens)
    expected = device[: len(logits)]
    same = np.sum(logits.argmax(-1) == expected.argmax(-1))
    return f"{same} of {len(logits)}", f"{np.abs(logits - expected).max():.3g}"


def size(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def measured(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    image = Image.open(find_model("small"))
    tokens = TextTokenizer.of_image(image).encode(TEXT.read_text())[:TOKENS]
    device = emulator_logits(image, tokens)
    table = Table(title=f"{image.config.name}, {len(tokens)} tokens of {TEXT.name}")
    for heading in ("format, reader", "size", "export s", "same argmax", "largest difference"):
        table.add_column(heading)
    with tempfile.TemporaryDirectory() as scratch:
        for number, (case, (name, options)) in enumerate(CASES.items()):
            output = Path(scratch) / str(number)
            write = find_format(name, **options)
            seconds = measured(lambda write=write, output=output: list(write(image, output)))
            facts = agreement(case, image, output, tokens, device)
            table.add_row(case, format_bytes(size(output)), f"{seconds:.2f}", *facts)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
