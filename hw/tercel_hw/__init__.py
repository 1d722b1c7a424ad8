"""Generators of the accelerator's hardware."""
