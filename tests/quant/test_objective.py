"""The objective and its terms; distillation from a teacher."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_quant.data import TokenFile
from tercel_quant.distill import Distillation
from tercel_quant.model import Transformer
from tercel_quant.number_loss import NumberLoss
from tercel_quant.objective import Objective
from tercel_quant.trainer import Trainer
from tercel_quant.training_config import TrainingConfig

MODEL = dataclasses.replace(PRESETS["tiny"], layers=1)


def make(seed, config=MODEL, precision="float"):
    model = Transformer(config, precision=precision)
    model.initialise(seed)
    return model


def windows():
    return torch.randint(MODEL.vocab_size, (3, 9), generator=torch.Generator().manual_seed(0))


def test_plain_objective_is_cross_entropy():
    model, batch = make(0), windows()
    expected = functional.cross_entropy(model(batch[:, :-1]).transpose(1, 2), batch[:, 1:])
    torch.testing.assert_close(Objective().loss(model, batch), expected)


def test_distillation_blends_the_divergence_by_temperature():
    model, teacher, batch = make(0), make(1), windows()
    p = functional.log_softmax(teacher(batch[:, :-1]) / 2, -1)
    q = functional.log_softmax(model(batch[:, :-1]) / 2, -1)
    divergence = (p.exp() * (p - q)).sum(-1).mean()
    expected = 0.25 * Objective().loss(model, batch) + 0.75 * 4 * divergence
    objective = Objective(distillation=Distillation(teacher=teacher, weight=0.75, temperature=2))
    loss = objective.loss(model, batch)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_own_teacher_leaves_only_cross_entropy():
    model, batch = make(0), windows()
    objective = Objective(distillation=Distillation(teacher=model, weight=0.5))
    torch.testing.assert_close(objective.loss(model, batch), Objective().loss(model, batch) / 2)


def test_number_loss_is_added_with_its_weight():
    model, batch = make(0), windows()
    values = torch.full((MODEL.vocab_size,), torch.nan)
    values[:50] = torch.arange(50.0)
    numbers = NumberLoss(values)
    term = numbers(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
    loss = Objective(numbers=numbers, number_weight=0.2).loss(model, batch)
    torch.testing.assert_close(loss, Objective().loss(model, batch) + 0.2 * term)


def test_student_approaches_its_teacher(tmp_path):
    path = tmp_path / "tokens.u16"
    np.random.default_rng(0).integers(MODEL.vocab_size, size=5000).astype("<u2").tofile(path)
    data = TokenFile(path, vocab_size=MODEL.vocab_size)
    student, teacher = make(0, precision="ternary"), make(1)
    with torch.no_grad():
        teacher.embedding.weight.mul_(10)
    objective = Objective(distillation=Distillation(teacher=teacher, weight=1))
    before = objective.loss(student, windows()).item()
    config = TrainingConfig(steps=60, warmup=5, decay=30, batch_size=8, length=16)
    Trainer(
        model=student,
        config=config,
        data=data,
        folder=tmp_path / "run",
        objective=objective,
        progress=False,
    ).run()
    assert objective.loss(student, windows()).item() < 0.8 * before


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weight": 0}, "weight must be above 0 and at most 1, not 0"),
        ({"weight": 1.5}, "weight must be above 0 and at most 1, not 1.5"),
        ({"temperature": -1}, "temperature must be a positive number, not -1"),
    ],
)
def test_distillation_refuses(fields, message):
    with pytest.raises(TercelError, match=message):
        Distillation(teacher=make(0), **fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_size": 97}, "the teacher's vocab_size 97 does not serve a student with 96"),
        ({"context": 32}, "the teacher's context 32 does not serve a student with 64"),
    ],
)
def test_teacher_must_fit_the_student(change, message):
    teacher = make(0, dataclasses.replace(MODEL, **change))
    with pytest.raises(TercelError, match=message):
        Distillation(teacher=teacher).check(make(0))


def test_refuses_a_negative_number_weight():
    with pytest.raises(TercelError, match="number_weight must be a non-negative number, not -1"):
        Objective(number_weight=-1)
