from dataclasses import replace

import pytest

from tercel.errors import TercelError
from tercel_hw.synthesis.resources import Resources
from tercel_hw.target import Target
from tercel_hw.top import ACCELERATORS
from tercel_sim.explore.measured import Measured
from tercel_sim.explore.resource_model import ResourceModel, left_out, resource_model, summary

KV260 = ACCELERATORS["kv260"]
US, XC7 = Target.ULTRASCALE_PLUS, Target.SERIES_7


def config(nodes=8, ports=4, tables=77, code="base3", **others):
    tlmm = replace(KV260.tlmm, nodes=nodes, tables=tables, code=code)
    return replace(KV260, tlmm=tlmm, ports=ports, **others)


def measured(accelerator, held_out=False, target=US, preset=False, **blocks):
    found = {name.replace("_", ".", 1): amounts for name, amounts in blocks.items()}
    name = f"K{accelerator.nodes} {target.value}"
    return Measured(
        name=name,
        config=accelerator,
        target=target,
        blocks=found,
        held_out=held_out,
        preset=preset,
    )


def law(accelerator):
    """Resources that grow as the model's terms do."""
    lanes, word = accelerator.nodes, accelerator.word_bytes
    tables = accelerator.tlmm.tables
    return {
        "core_engine": Resources(lut=100 + 20 * lanes * tables, ff=7 * tables),
        "core_attention": Resources(lut=30 * lanes + 2 * lanes * word, dsp=lanes * word + 5),
    }


def points(*configs):
    return [measured(each, **law(each)) for each in configs]


SIZES = [(1, 1, 16), (2, 2, 24), (4, 1, 30), (8, 4, 77), (3, 4, 32), (1, 4, 64)]


def test_a_law_of_the_terms_is_found_again():
    model = ResourceModel(
        points(*(config(nodes, ports, tables, chain=8) for nodes, ports, tables in SIZES))
    )
    other = config(6, 2, 50, chain=8)
    expected = sum(law(other).values(), Resources())
    found = model.estimate(other, US)
    assert found.dsp == expected.dsp
    assert found.lut == pytest.approx(expected.lut, rel=0.001)
    assert found.ff == pytest.approx(expected.ff, abs=1)
    assert found.bram36 == 0


def test_points_held_out_judge_and_are_not_fitted():
    fitted = points(*(config(*size, chain=8) for size in SIZES))
    wrong = measured(
        config(5, chain=8), True, core_engine=Resources(lut=1), core_attention=Resources()
    )
    model = ResourceModel([*fitted, wrong])
    errors = model.error(wrong)
    assert errors["lut"] > 100
    assert "dsp" not in errors
    assert model.judges(wrong.config, US) == (wrong,)
    assert not model.judges(wrong.config, XC7)
    assert not model.judges(config(ultra_ram=False), US)


def test_a_point_of_some_blocks_is_judged_by_them():
    fitted = points(*(config(*size, chain=8) for size in SIZES))
    part = measured(config(2, chain=8), True, core_attention=law(config(2))["core_attention"])
    assert ResourceModel([*fitted, part]).error(part)["lut"] == pytest.approx(0, abs=0.01)


def test_engines_of_different_codes_are_fitted_apart():
    model = ResourceModel(points(config(1, chain=8), config(2, chain=8)))
    with pytest.raises(TercelError, match=r"the calibration has no core\.engine index5"):
        model.estimate(config(code="index5"), US)


def test_accelerators_without_ultra_ram_are_others():
    model = ResourceModel(points(config(1, chain=8), config(2, chain=8)))
    with pytest.raises(TercelError, match="no accelerator without UltraRAM"):
        model.estimate(config(chain=8, ultra_ram=False), US)


def test_targets_that_were_not_synthesised_are_refused():
    model = ResourceModel(points(config(1, chain=8), config(2, chain=8)))
    with pytest.raises(TercelError, match="no accelerator for 7series; synthesise some"):
        model.estimate(config(chain=8), XC7)


def test_another_target_grows_alike_where_its_points_leave_it_open():
    """One point of the other target, of half the size; logic is the target's own."""
    one = config(2, 2, 24, chain=8)
    half = {name: Resources(lut=each.lut // 2, dsp=each.dsp) for name, each in law(one).items()}
    fitted = points(*(config(*size, chain=8) for size in SIZES))
    model = ResourceModel([*fitted, measured(one, target=XC7, **half)])
    other = config(4, 2, 40, chain=8)
    assert model.estimate(one, XC7).lut == pytest.approx(model.estimate(one, US).lut / 2, rel=0.01)
    assert model.estimate(other, XC7).lut == pytest.approx(
        model.estimate(other, US).lut / 2, rel=0.02
    )


def test_a_block_without_a_point_of_the_target_counts_as_on_the_reference():
    fitted = points(config(1, chain=8), config(2, chain=8))
    engine = measured(config(1, chain=8), target=XC7, core_engine=Resources(lut=9))
    model = ResourceModel([*fitted, engine])
    same = model.block("core.attention", config(2, chain=8), US)
    assert model.block("core.attention", config(2, chain=8), XC7) == same


@pytest.mark.parametrize(
    ("block", "name", "short", "length"),
    [
        ("core_quantiser", "max_columns", 4096, 8192),
        ("core_attention", "positions", 2048, 4096),
        ("core_residual", "hidden", 2048, 4096),
    ],
)
def test_block_memories_grow_with_their_length(block, name, short, length):
    def long(nodes, size):
        made = config(nodes, 2, 24, chain=8, ultra_ram=False)
        if name == "max_columns":
            return replace(made, tlmm=replace(made.tlmm, max_columns=size))
        return replace(made, **{name: size})

    def size(accelerator):
        length = getattr(accelerator if name != "max_columns" else accelerator.tlmm, name)
        return Resources(bram36=accelerator.nodes * length / 1024)

    seen = [long(nodes, each) for nodes, each in ((1, short), (2, length), (4, length))]
    model = ResourceModel([measured(each, **{block: size(each)}) for each in seen])
    wanted = long(3, short)
    assert model.estimate(wanted, US).bram36 == pytest.approx(size(wanted).bram36, rel=0.05)


def test_every_whole_accelerator_is_judged_by_the_others():
    fitted = [
        measured(config(*size, chain=8), preset=True, **law(config(*size, chain=8)))
        for size in SIZES
    ]
    found = left_out([*fitted, measured(config(5, chain=8), True, core_engine=Resources(lut=1))])
    assert list(found) == [f"K{nodes} ultrascale+" for nodes in dict.fromkeys(s[0] for s in SIZES)]
    assert all(abs(each["lut"]) < 0.02 for each in found.values())
    alone = measured(config(2, chain=8), target=XC7, preset=True, core_engine=Resources(lut=1))
    assert list(left_out([*fitted[:2], alone])) == [each.name for each in fitted[:2]]


def test_growth_that_few_points_leave_open_is_shared():
    model = ResourceModel(
        [
            measured(config(nodes, 1, 16, chain=8), core_rotary=Resources(lut=100 * nodes))
            for nodes in (1, 8)
        ]
    )
    # Lanes alone, and lanes with the width of a word, explain it: a wider word tells them apart.
    narrow, wide = (model.estimate(config(8, ports, 16, chain=8), US).lut for ports in (1, 4))
    assert narrow == pytest.approx(800, rel=0.01)
    assert 1.2 * narrow < wide < 3 * narrow


@pytest.mark.parametrize(
    ("words", "ports", "uram", "bram"),
    [(16384, 4, 32, 0), (4096, 4, 8, 0), (4096, 1, 2, 0), (2048, 4, 0, 28.5), (128, 4, 0, 2)],
)
def test_the_memory_of_the_tape_buffer_is_its_geometrys(words, ports, uram, bram):
    accelerator = config(8, ports, 16, chain=8, tape_words=words)
    model = ResourceModel([measured(accelerator, **{"memory_channel_tape": Resources(uram=99)})])
    found = model.estimate(accelerator, US)
    assert (found.uram, found.bram36) == (uram, bram)


def test_no_resources_are_negative():
    model = ResourceModel(
        [
            measured(config(nodes), core_rotary=Resources(lut=amount))
            for nodes, amount in ((1, 1000), (2, 200), (4, 100))
        ]
    )
    assert model.estimate(config(16), US).lut >= 0


def test_a_model_needs_points():
    with pytest.raises(TercelError, match="needs a synthesis to be fitted to"):
        ResourceModel([])


def test_errors_are_summarised():
    found = summary([{"lut": 0.1}, {"lut": -0.3}])
    assert found == {"lut": {"mean": pytest.approx(0.2), "largest": 0.3, "points": 2}}


@pytest.mark.parametrize("name", ["kv260", "ultra96v2", "pynq-z2"])
def test_the_stored_calibration_gives_the_presets_themselves(name):
    model = resource_model()
    (stored,) = (point for point in model.points if point.name == name)
    assert stored.config == ACCELERATORS[name]
    errors = model.error(stored)
    for kind, most in (("lut", 0.1), ("ff", 0.1), ("dsp", 0.05), ("bram36", 0.1), ("uram", 0.05)):
        assert abs(errors.get(kind, 0.0)) < most, kind
