"""A model on a device, as lm-evaluation-harness asks it."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.utils import (
    get_rolling_token_windows,
    make_disjoint_window,
    simple_parse_args_string,
)
from tqdm import tqdm

from tercel.device import Device
from tercel.device.options import parse_options
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import (
    DEFAULT_DEVICE,
    DEFAULT_MODEL,
    ChatTemplate,
    GenerationConfig,
    Generator,
    TextTokenizer,
    device_class,
    find_model,
    open_device,
)
from tercel.runtime.generator import shared_length
from tercel.sampling import SamplingConfig
from tercel_quant.node_scores import node_scores

__all__ = ["TercelLM"]

SETTINGS = ("temperature", "top_k", "top_p", "min_p")
OWN_ARGUMENTS = ("model", "device", "nodes", "context", "seed")
DEFAULT_TOKENS = 256
"""Most tokens of an answer where a task does not say; that of ``transformers`` in the harness."""

Scored = tuple[tuple[str, str], list[int], list[int]]
"""Texts of context and continuation, and their tokens."""


class TercelLM(TemplateLM):
    """The model ``tercel`` of lm-evaluation-harness.

    Texts are encoded, cut and scored as by its model ``hf``, with the arithmetic of the device.

    Parameters
    ----------
    model
        An image file, or the name of a shipped model.
    device
        Name of a device; it is opened for this object alone.
    nodes, context
        Options of every device.
    seed
        Seed of sampled answers; most tasks are greedy.
    settings
        Further options of the device.

    Raises
    ------
    TercelError
        If the model or the device cannot be opened, or the model has no tokenizer or no token to
        put before a text.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        device: str = DEFAULT_DEVICE,
        nodes: int | None = None,
        context: int | None = None,
        seed: int = 0,
        settings: Mapping[str, str] | None = None,
    ):
        super().__init__()
        self.image = Image.open(find_model(str(model)))
        options = parse_options(
            device_class(device).OPTIONS,
            dict(settings or {}),
            nodes=nodes,
            context=context,
        )
        self._text = TextTokenizer.of_image(self.image)
        self._runs: Device = open_device(device, self.image, options)
        self._generator = Generator(self._runs, self._text)
        self._seed = seed
        self._cached: tuple[int, ...] | None = None
        """Tokens in the device's cache; ``None`` if they are those of the generator."""
        config = self.image.config
        starts = [config.bos_token, *config.eos_tokens]
        first = next((token for token in starts if token is not None), None)
        if first is None:
            raise TercelError(
                f"{config.name} has neither a begin nor an end token, and one must stand before a "
                "text whose first token is to be predicted"
            )
        self._prefix = first

    @classmethod
    def create_from_arg_obj(
        cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None
    ) -> "TercelLM":
        """Open the model of ``--model_args``; names that are none of this class go to the device.

        The harness adds a device of torch and sizes of batches, which mean nothing here: a device
        has the cache of one sequence.
        """
        own = {name: value for name, value in arg_dict.items() if name in OWN_ARGUMENTS}
        rest = {name: str(value) for name, value in arg_dict.items() if name not in own}
        return cls(**own, settings=rest)

    @classmethod
    def create_from_arg_string(
        cls, arg_string: str, additional_config: dict[str, Any] | None = None
    ) -> "TercelLM":
        """Open the model of ``--model_args``, as :meth:`create_from_arg_obj`."""
        return cls.create_from_arg_obj(simple_parse_args_string(arg_string))

    @property
    def eot_token_id(self) -> int:
        return next(iter(self.image.config.eos_tokens), self._prefix)

    @property
    def prefix_token_id(self) -> int:
        return self._prefix

    @property
    def max_length(self) -> int:
        """Most tokens that the device reads."""
        return self._runs.limits.context

    @property
    def tokenizer_name(self) -> str:
        return f"{self.image.config.name}-{self.image.checksum[:16]}"

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        chat = self.image.chat
        return "" if chat is None or not chat_template else chat.template

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        template = ChatTemplate.of_image(self.image)
        if add_generation_prompt:
            return template.render(chat_history)
        return template.render_unfinished(chat_history)

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **kwargs: Any
    ) -> list[int]:
        return self._text.encode(string, first=add_special_tokens is not False)

    def _loglikelihood_tokens(
        self, requests: Sequence[Scored], disable_tqdm: bool = False, **kwargs: Any
    ) -> list[tuple[float, bool]]:
        """Score continuations; neighbours in sorted order share the cache of their context.

        Continuations that differ in their last token alone take the same passes.
        """
        found: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
        order = sorted(range(len(requests)), key=lambda index: self._read(requests[index]))
        with tqdm(total=len(requests), disable=disable_tqdm, desc="scoring") as bar:
            for (read, count), group in groupby(order, lambda index: self._read(requests[index])):
                indices = list(group)
                lasts = [requests[index][2][-1] for index in indices]
                for index, score in zip(indices, self._score(read, count, lasts), strict=True):
                    found[index] = score
                    self.cache_hook.add_partial("loglikelihood", requests[index][0], score)
                bar.update(len(indices))
        return found

    def _read(self, request: Scored) -> tuple[tuple[int, ...], int]:
        """Tokens to read for a request, the context cut from its start, and the number scored."""
        _, context, continuation = request
        if not continuation:
            raise TercelError(f"the task gives an empty continuation: {request[0][1]!r}")
        if len(continuation) > self.max_length:
            raise TercelError(
                f"a continuation has {len(continuation)} tokens, more than the context of "
                f"{self.max_length}"
            )
        whole = (*context, *continuation)
        return whole[-(self.max_length + 1) : -1], len(continuation)

    def _score(
        self, read: tuple[int, ...], count: int, lasts: Sequence[int]
    ) -> list[tuple[float, bool]]:
        """Log-likelihoods of several last tokens behind the same tokens, and if they are greedy."""
        device, first = self._runs, len(read) - count
        if self._cached is None:
            self._cached = self._generator.tokens[: device.length]
        device.rewind(min(shared_length(self._cached, read), first))
        self._cached = read
        scores: list[tuple[float, bool]] = []
        total, greedy = 0.0, True
        for place, node in enumerate(node_scores(device, read[device.length :], count), first + 1):
            if place < len(read):
                token = read[place]
                total += float(node.log_probabilities([token])[0])
                greedy = greedy and node.argmax == token
            else:
                ends = node.log_probabilities(lasts)
                scores = [
                    (total + float(end), greedy and node.argmax == last)
                    for end, last in zip(ends, lasts, strict=True)
                ]
        return scores

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        windows: list[Scored] = []
        owners: list[int] = []
        for owner, request in enumerate(requests):
            (text,) = request.args
            pairs = get_rolling_token_windows(
                token_list=self.tok_encode(text),
                prefix_token=self._prefix,
                max_seq_len=self.max_length,
                context_len=1,
            )
            parts = [make_disjoint_window(pair) for pair in pairs]
            windows += [(("", text), context, rest) for context, rest in parts]
            owners += [owner] * len(parts)
        totals = [0.0] * len(requests)
        scores = self._loglikelihood_tokens(windows, disable_tqdm=disable_tqdm)
        for owner, (score, _) in zip(owners, scores, strict=True):
            totals[owner] += score
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
        return totals

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Answer; contexts that begin alike share the cache, in sorted order."""
        found = [""] * len(requests)
        order = sorted(range(len(requests)), key=lambda index: requests[index].args[0])
        for index in tqdm(order, disable=disable_tqdm, desc="answering"):
            context, settings = requests[index].args
            found[index] = self._answer(context, settings)
            self.cache_hook.add_partial("generate_until", (context, settings), found[index])
        return found

    def _answer(self, context: str, settings: dict[str, Any]) -> str:
        values: dict[str, Any] = {**normalize_gen_kwargs(settings, DEFAULT_TOKENS)}
        until, most = values.pop("until"), values.pop("max_gen_toks")
        sampled = values.pop("do_sample")
        filters = {name: values.pop(name) for name in SETTINGS if name in values}
        if values:
            raise TercelError(
                f"the task asks for {', '.join(sorted(values))} in its answers, which tercel lacks"
            )
        if most >= self.max_length:
            raise TercelError(
                f"the task wants answers of {most} tokens, more than the context of "
                f"{self.max_length} leaves; open the "
                "device with a larger context"
            )
        config = GenerationConfig(
            sampling=SamplingConfig(**filters, seed=self._seed) if sampled else SamplingConfig(),
            max_tokens=most,
            stop=tuple(text for text in until if self._may_end(text)),
        )
        if self._cached is not None:
            self._generator.reset()
            self._cached = None
        tokens = self.tok_encode(context)[most - self.max_length :]
        return "".join(piece.text for piece in self._generator.respond(tokens, config))

    def _may_end(self, text: str) -> bool:
        """True if a text can end an answer: special tokens write nothing, so parts of none can."""
        try:
            self._text.special_tokens([text])
        except TercelError:
            return False
        return bool(text)


# Not as a decorator, which would hide the class from type checkers.
register_model("tercel")(TercelLM)
