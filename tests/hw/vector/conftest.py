"""Memories of the vector unit's tests."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def _garbage_at_collisions(colliding_memories):
    """No answer depends on a memory that is read and written at one address in a cycle."""
