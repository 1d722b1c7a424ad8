import dataclasses

import pytest
import torch
from torch import nn

from tercel_quant.optimiser import Optimisers
from tercel_quant.training_config import TrainingConfig


def model():
    return nn.ModuleDict(
        {
            "layers": nn.ModuleList([nn.Linear(4, 4)]),
            "embedding": nn.Embedding(3, 4),
        }
    )


def groups(optimisers):
    return [group for part in optimisers.parts for group in part.param_groups]


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_matrices_of_layers_have_a_rate_and_a_decay_of_their_own(kind):
    made = model()
    config = dataclasses.replace(
        TrainingConfig(steps=9),
        optimiser=kind,
        matrix_learning_rate=0.5,
        learning_rate=0.25,
        weight_decay=0.1,
    )
    matrix, rest = groups(Optimisers(made, config))
    weight = made["layers"][0].weight
    assert [id(p) for p in matrix["params"]] == [id(weight)]
    assert (matrix["lr"], matrix["weight_decay"]) == (0.5, 0.1)
    others = {id(made["layers"][0].bias), id(made["embedding"].weight)}
    assert {id(p) for p in rest["params"]} == others
    assert (rest["lr"], rest["weight_decay"]) == (0.25, 0.0)


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_a_step_is_a_part_of_the_peak_and_drops_the_gradients(kind):
    made = model()
    config = dataclasses.replace(TrainingConfig(steps=9), optimiser=kind)
    optimisers = Optimisers(made, config)
    peaks = [group["lr"] for group in groups(optimisers)]
    for factor in (0.5, 0.0):
        for parameter in made.parameters():
            parameter.grad = torch.ones_like(parameter)
        before = [parameter.detach().clone() for parameter in made.parameters()]
        optimisers.step(factor)
        assert [group["lr"] for group in groups(optimisers)] == [peak * factor for peak in peaks]
        same = [torch.equal(a, b) for a, b in zip(before, made.parameters(), strict=True)]
        assert same == [factor == 0.0] * len(same)
        assert all(parameter.grad is None for parameter in made.parameters())
