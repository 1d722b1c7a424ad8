"""The chat template of a model: the prompt that a conversation makes."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any

from tercel.errors import TercelError
from tercel.image import ChatFormat, Image

__all__ = ["ChatTemplate", "TemplateLimits"]


@dataclass(frozen=True, kw_only=True)
class TemplateLimits:
    """Limits of one rendering."""

    cpu_seconds: int = 5
    """Computing time of the process that renders."""
    seconds: float = 60.0
    """Time in all, also on a machine that is busy with other work."""
    memory_bytes: int = 256 << 20
    characters: int = 1 << 22
    """Longest prompt."""


class ChatTemplate:
    """Makes a prompt of messages, as ``apply_chat_template`` of ``transformers`` does.

    A template is a program from a stranger. It runs in Jinja's sandbox, in a process of its own
    with limits of time, memory and output.

    Parameters
    ----------
    format
    limits
    """

    def __init__(self, format: ChatFormat, limits: TemplateLimits = TemplateLimits()):
        self._format = format
        self._limits = limits

    @classmethod
    def of_image(cls, image: Image) -> "ChatTemplate":
        """The chat template of an image.

        Raises
        ------
        TercelError
            If the image has none.
        """
        if image.chat is None:
            raise TercelError(
                f"{image.config.name} has no chat template: it continues texts, as `tercel run` "
                "without --chat does; or give a template with --template FILE"
            )
        return cls(image.chat)

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The prompt that asks for the answer to the last message.

        Parameters
        ----------
        messages
            Objects of JSON with at least ``role`` and ``content``.

        Raises
        ------
        TercelError
            If the template is malformed, refuses the messages, reaches outside its sandbox or
            exceeds a limit.
        """
        return self._render(messages, asks=True)

    def render_unfinished(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The prompt that ends with the content of the last message, for the model to go on with.

        Raises
        ------
        TercelError
            As for :meth:`render`, or if the template does not write that content.
        """
        prompt = self._render(messages, asks=False)
        content = messages[-1]["content"].strip()
        place = prompt.rfind(content)
        if place < 0:
            raise TercelError("the chat template leaves out the last message, so none can go on")
        return prompt[: place + len(content)]

    def _render(self, messages: Sequence[Mapping[str, Any]], *, asks: bool) -> str:
        limits = self._limits
        variables = {
            **self._format.special_tokens,
            "messages": list(messages),
            "tools": None,
            "documents": None,
            "add_generation_prompt": asks,
        }
        request = {
            "template": self._format.template,
            "variables": variables,
            "cpu_seconds": limits.cpu_seconds,
            "memory_bytes": limits.memory_bytes,
            "characters": limits.characters,
        }
        with as_file(files("tercel.runtime") / "template_worker.py") as script:
            command = [sys.executable, "-I", "-S", str(script), *filter(None, sys.path)]
            try:
                done = subprocess.run(
                    command,
                    input=json.dumps(request).encode(),
                    capture_output=True,
                    timeout=limits.seconds,
                    start_new_session=True,  # Ctrl-C is this process's to handle
                )
            except subprocess.TimeoutExpired:
                raise TercelError(
                    f"the chat template did not end within {limits.seconds:g} s; it is damaged, or "
                    "this machine is very busy"
                ) from None
        if done.returncode == 0:
            answer = json.loads(done.stdout)
        else:
            over_time = -done.returncode in (signal.SIGXCPU, signal.SIGKILL)
            lines = done.stderr.decode(errors="replace").splitlines() or ["no message"]
            answer = {"error": "time" if over_time else "failed", "reason": lines[-1]}
        if "text" in answer:
            return answer["text"]
        raise TercelError(self._message(answer["error"], answer.get("reason", "")))

    def _message(self, kind: str, reason: str) -> str:
        limits = self._limits
        rest = {
            "outside": f"reaches outside its sandbox ({reason}), so it is refused",
            "refused": f"refuses this conversation: {reason}",
            "broken": f"is malformed, or made for other messages: {reason}",
            "time": f"computed for more than {limits.cpu_seconds} s and was stopped",
            "memory": f"needs more than {limits.memory_bytes >> 20} MiB of memory",
            "length": f"writes more than {limits.characters} characters",
            "failed": f"could not be rendered, the process for it failed: {reason}",
        }
        return f"the chat template {rest[kind]}"
