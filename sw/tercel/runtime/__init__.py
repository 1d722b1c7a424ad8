"""Generation of text on any device: streaming, statistics, benchmarks."""

from tercel.runtime.benchmark import run_benchmark
from tercel.runtime.benchmark_config import BenchmarkConfig
from tercel.runtime.chat_template import ChatTemplate, TemplateLimits
from tercel.runtime.conversation import Conversation, Message
from tercel.runtime.devices import DEFAULT_DEVICE, device_class, device_names, open_device
from tercel.runtime.generation_statistics import GenerationStatistics
from tercel.runtime.generator import (
    FinishReason,
    GenerationConfig,
    Generator,
    Piece,
    PromptError,
)
from tercel.runtime.measurement import Measurement
from tercel.runtime.models import DEFAULT_MODEL, find_model, shipped_models
from tercel.runtime.text_stream import TextStream
from tercel.runtime.tokenizer import TextTokenizer

__all__ = [
    "DEFAULT_DEVICE",
    "DEFAULT_MODEL",
    "BenchmarkConfig",
    "ChatTemplate",
    "Conversation",
    "FinishReason",
    "GenerationConfig",
    "GenerationStatistics",
    "Generator",
    "Measurement",
    "Message",
    "Piece",
    "PromptError",
    "TemplateLimits",
    "TextStream",
    "TextTokenizer",
    "device_class",
    "device_names",
    "find_model",
    "open_device",
    "run_benchmark",
    "shipped_models",
]
