"""The ternary form of a head for a two-stage head."""
