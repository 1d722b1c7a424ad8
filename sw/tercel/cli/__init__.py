"""The command line ``tercel``."""

from tercel.cli.app import main

__all__ = ["main"]
