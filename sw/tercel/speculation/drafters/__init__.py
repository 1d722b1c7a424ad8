"""Drafters, one method a file, and what they share."""
