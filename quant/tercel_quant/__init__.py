"""Quantisation to 1.58-bit weights: training, import, evaluation."""
