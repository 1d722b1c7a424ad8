"""Commands at the limits: every field holds its number, or the model is refused."""

import hypothesis.strategies as st
from hypothesis import event, given, settings

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import CODES, TapeLayout
from tercel.program import COMMANDS, AcceleratorSpec, Ask, PassBuilder, Request, memory_map

NAMES = {command.number: name for name, command in COMMANDS.items()}


def near_the_end(largest):
    """Integers of all sizes, more often at the ends of the range and near powers of two."""
    powers = [1 << bit for bit in range(largest.bit_length())]
    corners = {value + step for value in powers for step in (-1, 0, 1)} | {largest - 1, largest}
    return st.sampled_from(sorted(value for value in corners if 1 <= value <= largest)) | (
        st.integers(1, largest)
    )


@st.composite
def specs(draw):
    ports, port_bytes = draw(st.sampled_from([(1, 16), (2, 8), (2, 16), (4, 8), (4, 16), (8, 8)]))
    columns = draw(near_the_end(65520)) + 15
    code = draw(st.sampled_from(["base3", "index5"]))
    fewest = -(-columns // (CODES[code].group * 255))
    layout = TapeLayout(
        code=code,
        tables=max(fewest, draw(near_the_end(255))),
        ports=ports,
        port_bytes=port_bytes,
        block_rows=draw(near_the_end(65536)),
    )
    return AcceleratorSpec(
        layout=layout,
        nodes=draw(st.integers(1, 16)),
        positions=draw(near_the_end(65535)),
        hidden=max(16, draw(near_the_end(columns))),
        columns=columns,
        head_size=16 * draw(near_the_end(min(64, 15 * layout.word_bytes // 16))),
        sweeps=draw(near_the_end(255)),
        slices=draw(near_the_end(4095)),
        top_k=draw(near_the_end(255)),
        rows=draw(near_the_end((1 << 20) - 16)),
        address_width=draw(st.integers(32, 64)),
        groups=draw(st.sampled_from([0, layout.groups])),
        qk_norm=draw(st.booleans()),
    )


@st.composite
def models(draw, spec):
    layout = spec.layout
    head_size = 16 * draw(near_the_end(max(1, min(spec.head_size, spec.columns) // 16)))
    slices = spec.slices // layout.words(head_size)
    heads = draw(near_the_end(max(1, min(spec.sweeps, slices, spec.columns // head_size))))
    kv_heads = draw(st.sampled_from([n for n in range(1, heads + 1) if heads % n == 0]))
    plain = not spec.groups or spec.columns > 16384 or spec.rows > 1 << 18
    granularity = "tensor" if plain else draw(st.sampled_from(["tensor", "row", "group"]))
    plain |= head_size > 256
    return ModelConfig(
        name="limits",
        layers=draw(st.integers(1, 3)),
        hidden_size=draw(near_the_end(min(spec.hidden, spec.slices * layout.word_bytes))),
        ffn_size=draw(near_the_end(spec.columns)),
        heads=heads,
        kv_heads=kv_heads,
        head_size=head_size,
        vocab_size=draw(near_the_end(spec.rows)),
        context=spec.positions,
        sub_norms=draw(st.booleans()),
        tied_head=draw(st.booleans()),
        granularity=granularity if head_size <= 256 else "tensor",
        ternary_head=not plain and granularity == "group" and draw(st.booleans()),
        qk_norm=not plain and spec.qk_norm and draw(st.booleans()),
    )


@settings(deadline=None)
@given(data=st.data())
def test_accepted_models_fit_every_command_field(data):
    spec = data.draw(specs())
    model = data.draw(models(spec))
    try:
        spec.check(model, spec.layout)
        where = memory_map(config=model, spec=spec, context=spec.positions)
    except TercelError as error:
        event(str(error)[:20])
        return
    builder = PassBuilder(config=model, spec=spec, memory_map=where)
    nodes = min(spec.nodes, spec.positions)
    every = tuple(range(nodes))
    ask = Ask(top_k=min(spec.top_k, model.vocab_size), logits=every, hidden=every)
    for tokens in ((model.vocab_size - 1,) * nodes, (None,) * nodes):
        request = Request(
            config=model,
            tokens=tokens,
            parents=tuple(range(-1, nodes - 1)),
            base=spec.positions - nodes,
            ask=ask,
        )
        program = builder.build(request)
        told = [(NAMES[data[0]], COMMANDS[NAMES[data[0]]].decode(data)) for data in program]
        ((rows, limit),) = [(f["rows"], f["limit"]) for name, f in told if name == "head"]
        if model.ternary_head:
            assert rows == limit == model.vocab_size
        else:
            assert rows - 16 < limit <= rows
        assert len(program) <= where.program.words * spec.layout.word_bytes // 64
