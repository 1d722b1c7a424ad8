"""Speculative decoding: drafts, their acceptance, and the choice of their size."""
