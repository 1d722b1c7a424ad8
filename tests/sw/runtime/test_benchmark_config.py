import pytest

from tercel.errors import TercelError
from tercel.runtime import BenchmarkConfig
from tercel.runtime.benchmark_config import plan_benchmark

SMALL = {"prompt_tokens": (2,), "generated_tokens": (2,), "text_tokens": (), "verify_nodes": 2}


def plan(device, tokenizer=None, **values):
    found = plan_benchmark(BenchmarkConfig(**values), device, tokenizer)
    return [test.name for test in found.tests], found.left_out


def test_the_defaults_are_llama_benchs_and_every_verify(make_device, tokenizer):
    tests, left_out = plan(make_device(context=2048, nodes=3), tokenizer)
    each = ["pp64", "pp128", "pp512", "tg128", "text128", "v1", "v2", "v3"]
    assert tests == [*each, *(f"{name} @ d1024" for name in each)]
    assert not left_out


def test_what_was_not_asked_for_is_left_out(make_device):
    tests, left_out = plan(
        make_device(context=128, nodes=1),
        optional=frozenset({"prompt_tokens", "text_tokens", "depths"}),
    )
    assert tests == ["pp64", "pp128", "tg128", "v1"]
    assert left_out[:2] == ("pp512", "text128")
    assert all(name.endswith("@ d1024") for name in left_out[2:])


def test_an_optional_depth_drops_a_size_that_was_asked_for(make_device):
    tests, left_out = plan(make_device(), **SMALL, depths=(0, 63), optional=frozenset({"depths"}))
    assert tests == ["pp2", "tg2", "v1", "v2", "v1 @ d63"]
    assert left_out == ("pp2 @ d63", "tg2 @ d63", "v2 @ d63")


def test_a_test_may_fill_the_context(make_device, tokenizer):
    values = SMALL | {"prompt_tokens": (4,), "depths": (60,)}
    assert "pp4 @ d60" in plan(make_device(), **values)[0]
    texts = SMALL | {"text_tokens": (61,), "prompt": "abc"}
    assert "text61" in plan(make_device(), tokenizer, **texts, depths=(0,))[0]
    with pytest.raises(TercelError, match="65 tokens at a depth of 0 exceed the context of 64"):
        plan(make_device(), tokenizer, **(texts | {"prompt": "abcd"}), depths=(0,))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"repetitions": 0}, "repetitions must be 1 or more, not 0"),
        ({"depths": (0, -1)}, "depths must be 0 or more, not -1"),
        ({"depths": ()}, "depths must have a depth at least, but is empty"),
        ({"prompt_tokens": (0,)}, "prompt_tokens must be 1 or more, not 0"),
        ({"text_tokens": (-3,)}, "text_tokens must be 1 or more, not -3"),
        ({"verify_nodes": -1}, "verify_nodes must be 0 or more, not -1"),
        ({"verify_nodes": 5}, "verify_nodes must be at most the device's 4 nodes, not 5"),
        ({"optional": frozenset({"sizes"})}, "optional must name fields, not 'sizes'"),
        ({"text_tokens": (2,)}, "text2 needs a tokenizer, which the image does not have"),
        (
            {"depths": (60,), "prompt_tokens": (5,)},
            "5 tokens at a depth of 60 exceed the context of 64; measure less or open the device",
        ),
        (
            {"depths": (125,), "prompt_tokens": (5,)},
            "less since 128 positions are the model's maximum",
        ),
    ],
)
def test_rules(make_device, values, message):
    with pytest.raises(TercelError, match=message):
        plan(make_device(), **{**SMALL, **values})
