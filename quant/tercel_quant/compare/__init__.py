"""Comparison of an image with its checkpoint in transformers; imports torch where it computes."""
