"""Programs made from templates have the bytes of the encoder, command by command."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tercel.program import Ask, PassBuilder, PassEncoder, Request, memory_map
from tercel.program.builder import TEMPLATES

CONTEXT = 48


@pytest.fixture(scope="module")
def image(every_image):
    return every_image


@pytest.fixture(scope="module")
def programs(image, spec):
    """The builder and the encoder of an image, the same for all examples."""
    built = spec(image)
    where = memory_map(config=image.config, spec=built, context=CONTEXT)
    parameters = {"config": image.config, "spec": built, "memory_map": where}
    return PassBuilder(**parameters), PassEncoder(**parameters)


@st.composite
def requests(draw, config, nodes=8):
    count = draw(st.integers(1, nodes))
    token = (
        st.none()
        | st.sampled_from([0, config.vocab_size - 1])
        | (st.integers(0, config.vocab_size - 1))
    )
    parents = [-1, *(draw(st.integers(0, node - 1)) for node in range(1, count))]
    some = st.lists(st.integers(0, count - 1), unique=True, max_size=2).map(tuple)
    pairs = st.lists(
        st.tuples(st.booleans(), st.booleans()), min_size=config.layers, max_size=config.layers
    )
    two_stage = bool(config.shortlist) and draw(st.booleans())
    ask = Ask(
        argmax=draw(st.booleans()),
        top_k=draw(st.sampled_from([0, 1, 5])),
        logits=() if two_stage else draw(some),
        two_stage=two_stage,
        hidden=draw(some),
        layer_mask=draw(st.none() | pairs.map(tuple)),
        head_rows=draw(st.none() | st.sampled_from([16, 33])),
    )
    return Request(
        config=config,
        tokens=tuple(draw(st.lists(token, min_size=count, max_size=count))),
        parents=tuple(parents),
        base=draw(st.integers(0, CONTEXT - count)),
        ask=ask,
    )


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
    deadline=None,
)
@given(data=st.data())
def test_programs_equal_the_encoders_in_any_order(image, programs, data):
    builder, encoder = programs
    for request in data.draw(st.lists(requests(image.config), min_size=1, max_size=4)):
        program = builder.build(request)
        assert program.dtype == np.uint8
        assert program.tobytes() == b"".join(encoder.encode(request))
        program[:] = 255  # It is the caller's own.
        assert builder.build(request).tobytes() == b"".join(encoder.encode(request))


def test_the_number_of_templates_is_bounded(image, programs):
    builder, encoder = programs
    request = {"config": image.config, "parents": (-1,), "base": 3}
    rows = range(1, TEMPLATES + 10)
    asks = [Ask(head_rows=count) for count in rows]
    for ask in [*asks, asks[0]]:
        whole = Request(tokens=(5,), ask=ask, **request)
        assert builder.build(whole).tobytes() == b"".join(encoder.encode(whole))
    assert builder._template.cache_info().currsize == TEMPLATES
