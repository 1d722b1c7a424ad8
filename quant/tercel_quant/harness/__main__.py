"""The harness's own command line, which then knows ``--model tercel``."""

from lm_eval.__main__ import cli_evaluate

import tercel_quant.harness

__all__ = ["main"]


def main() -> None:
    """Run ``lm_eval`` after the package has registered its model."""
    assert tercel_quant.harness.TercelLM
    cli_evaluate()


if __name__ == "__main__":
    main()
