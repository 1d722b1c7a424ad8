"""A process that renders one chat template: JSON on standard input, JSON on standard output.

Started as a script, so that it loads Jinja and nothing of tercel. Its arguments are places to
import from. The limits of the request hold from before Jinja is loaded.
"""

import json
import resource
import sys
from datetime import datetime


def main() -> None:
    request = json.loads(sys.stdin.read())
    memory, seconds = request["memory_bytes"], request["cpu_seconds"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    sys.path += sys.argv[1:]
    try:
        answer = render(request)
    except MemoryError:
        answer = {"error": "memory"}
    except RecursionError:
        answer = {"error": "broken", "reason": "it is nested too deeply"}
    sys.stdout.write(json.dumps(answer))


def render(request: dict) -> dict:
    """The text of a template, or the kind of its failure with a reason."""
    import jinja2
    from jinja2.exceptions import SecurityError

    try:
        template = make_environment().from_string(request["template"])
        pieces, length = [], 0
        for piece in template.generate(request["variables"]):
            pieces.append(piece)
            length += len(piece)
            if length > request["characters"]:
                return {"error": "length"}
        return {"text": "".join(pieces)}
    except SecurityError as error:
        return {"error": "outside", "reason": str(error)}
    except jinja2.TemplateSyntaxError as error:
        return {"error": "broken", "reason": f"line {error.lineno}: {error.message}"}
    except jinja2.TemplateError as error:
        kind = "refused" if type(error) is jinja2.TemplateError else "broken"
        return {"error": kind, "reason": str(error)}
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # the template may do anything wrong
        return {"error": "broken", "reason": f"{type(error).__name__}: {error}"}


def make_environment():
    """Jinja as the templates of published models expect it, and no way out of it."""
    import jinja2
    from jinja2 import ext, nodes
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(ext.Extension):
        """``{% generation %}`` marks the model's own words for training; here they are as any."""

        def parse(self, parser):
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    Generation.tags = {"generation"}

    class Environment(ImmutableSandboxedEnvironment):
        def unsafe_undefined(self, obj, attribute):
            raise SecurityError(f"{type(obj).__name__}.{attribute}")

    class Namespace(jinja2.utils.Namespace):
        """A namespace that stores no name of Python's own."""

        def __init__(*args, **kwargs):
            values = dict(*args[1:], **kwargs)
            for name in values:
                check_name(name)
            jinja2.utils.Namespace.__init__(args[0], values)

        def __setitem__(self, name, value):
            check_name(name)
            super().__setitem__(name, value)

    def check_name(name):
        if isinstance(name, str) and name.startswith("_"):
            raise SecurityError(f"namespace.{name}")

    def load(name):
        raise SecurityError(f"the template {name!r}")

    def raise_exception(message):
        raise jinja2.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            value,
            ensure_ascii=ensure_ascii,
            indent=indent,
            separators=separators,
            sort_keys=sort_keys,
        )

    environment = Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[Generation, ext.loopcontrols],
        loader=jinja2.FunctionLoader(load),
    )
    environment.filters["tojson"] = tojson
    environment.globals |= {
        "raise_exception": raise_exception,
        "strftime_now": lambda format: datetime.now().strftime(format),
        "dict": lambda *args, **kwargs: dict(*args, **kwargs),
        "namespace": Namespace,
    }
    return environment


if __name__ == "__main__":
    main()
