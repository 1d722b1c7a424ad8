import pytest
import torch


@pytest.fixture(autouse=True)
def _eager():
    """transformers compiles parts of its BitNet; running them eagerly is the same and faster."""
    with torch.compiler.set_stance("force_eager"):
        yield
