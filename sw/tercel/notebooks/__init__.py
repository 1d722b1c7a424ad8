"""Notebooks for the board: `pynq get-notebooks tercel` copies them."""
