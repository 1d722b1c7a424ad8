"""TrainingConfig: rules, window lengths."""

import pytest

from tercel.errors import TercelError
from tercel_quant.training_config import TrainingConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 0}, "steps must be a positive integer, not 0"),
        ({"batch_size": 0}, "batch_size must be a positive integer, not 0"),
        ({"log_every": True}, "log_every must be a positive integer, not True"),
        ({"precision": "int8"}, "precision must be one of float, ternary, not 'int8'"),
        ({"optimiser": "sgd"}, "optimiser must be one of muon, adamw, not 'sgd'"),
        ({"learning_rate": 0}, "learning_rate must be a positive number, not 0"),
        ({"gradient_clip": float("nan")}, "gradient_clip must be a positive number, not nan"),
        ({"weight_decay": -0.1}, "weight_decay must be a non-negative number, not -0.1"),
        ({"seed": -1}, "seed must be a non-negative integer, not -1"),
        ({"long_steps": 5}, "long_length and long_steps must be given together, not None and 5"),
        ({"long_length": 48, "long_steps": 5, "length": 32}, "a multiple of length 32 .* not 48"),
        ({"long_length": 512, "long_steps": 200}, "between 0 and steps 100, not 200"),
        ({"decay": 90, "warmup": 20}, "warmup [+] decay must not exceed steps"),
    ],
)
def test_refuses(fields, message):
    with pytest.raises(TercelError, match=message):
        TrainingConfig(**{"steps": 100, "warmup": 0, **fields})


def test_longer_windows_at_the_end_keep_the_tokens_of_an_update():
    config = TrainingConfig(
        steps=10, warmup=0, batch_size=8, length=32, long_length=128, long_steps=3
    )
    assert config.window(6) == (8, 32)
    assert config.window(7) == (2, 128)
    assert config.step_tokens == 256


@pytest.mark.parametrize(
    ("steps", "decay", "warmup"), [(2, 0, 2), (2, 2, 0), (150, 80, 70), (1000, 900, 100)]
)
def test_default_warmup_fits_every_run(steps, decay, warmup):
    config = TrainingConfig(steps=steps, decay=decay)
    assert config.schedule.warmup == warmup
    assert config.to_dict() == TrainingConfig(steps=steps, decay=decay, warmup=warmup).to_dict()
