"""tercel: ternary language models on edge FPGAs."""

__version__ = "0.1.0"
