import dataclasses

import pytest

from tercel.image import LAYOUTS
from tercel_hw.tlmm.config import TLMM, TlmmConfig


@pytest.mark.parametrize(
    ("field", "value", "error", "rule"),
    [
        ("code", "base4", ValueError, "code must be one of index5, base3, not 'base4'"),
        ("code", 3, TypeError, "code must be a string, not 3"),
        ("tables", 0, ValueError, r"tables must be in 1\.\.1024, not 0"),
        ("tables", 4.0, TypeError, r"tables must be an integer, not 4\.0"),
        ("nodes", True, TypeError, "nodes must be an integer, not True"),
        ("nodes", 65, ValueError, r"nodes must be in 1\.\.64, not 65"),
        ("block_rows", -1, ValueError, r"block_rows must be in 1\.\.65536, not -1"),
        ("generators", 14, ValueError, r"generators must be in 1\.\.13, not 14"),
        ("max_columns", 132105, ValueError, r"max_columns must be in 1\.\.132104, not 132105"),
        ("groups", "3", TypeError, "groups must be an integer, not '3'"),
        ("groups", -1, ValueError, r"groups must be in 0\.\.39, not -1"),
        ("groups", 40, ValueError, r"groups must be in 0\.\.39, not 40"),
        ("groups", 3, ValueError, "tables must be 78 with 3 groups of 26 codes, not 77"),
    ],
)
def test_a_broken_field_is_named(field, value, error, rule):
    with pytest.raises(error, match=f"^{rule}$"):
        TlmmConfig(**{field: value})


def test_no_more_generators_than_tables():
    with pytest.raises(ValueError, match=r"^generators must be in 1\.\.3, not 4$"):
        TlmmConfig(tables=3)


@pytest.mark.parametrize("preset", ["kv260", "kv260-index5"])
def test_the_presets_play_the_layouts_of_their_name(preset):
    assert TLMM[preset].layout == LAYOUTS[preset]


@pytest.mark.parametrize(
    "fields",
    [
        {"nodes": 64},
        {"block_rows": 65536},
        {"generators": 13},
        {"max_columns": 132104},
        {"tables": 1024},
        {"tables": 1, "generators": 1, "nodes": 1, "block_rows": 1, "max_columns": 1},
    ],
    ids=str,
)
def test_the_last_values_within_the_rules_are_taken(fields):
    config = TlmmConfig(**fields)
    assert config.chunks(config.max_columns) == config.layout.chunks(config.max_columns)


def test_a_matrix_too_wide_is_refused():
    with pytest.raises(ValueError, match=r"^columns must be in 1\.\.256, not 257$"):
        TLMM["tiny"].chunks(257)


def test_groups_need_their_code_and_narrow_enough_matrices():
    with pytest.raises(ValueError, match=r"^code must be base3 if there are groups, not 'index5'$"):
        TlmmConfig(code="index5", tables=78, groups=3)
    with pytest.raises(ValueError, match=r"^max_columns must be in 1\.\.16384, not 16385$"):
        TlmmConfig(tables=78, groups=3, max_columns=16385)


def test_only_an_engine_with_groups_plays_them():
    with pytest.raises(ValueError, match=r"^grouped needs an engine with groups, but groups is 0$"):
        TlmmConfig().command(512, 1024, grouped=True)


def test_the_last_row_chunk_of_a_row_has_the_groups_that_remain():
    config = TlmmConfig(tables=78, groups=3)
    assert config.chunk_bytes == 82
    for columns, count, codes, last in [
        (1, 1, 26, 26),
        (128, 1, 26, 26),
        (129, 1, 52, 52),
        (2048, 6, 78, 26),
        (6144, 16, 78, 78),
        (16384, 43, 78, 52),
    ]:
        command = config.command(9, columns, grouped=True)
        assert command == {
            "rows": 9,
            "chunks": count,
            "codes": codes,
            "last_codes": last,
            "grouped": 1,
        }
    assert config.command(9, 16384) == {
        "rows": 9,
        "chunks": 43,
        "codes": 77,
        "last_codes": 77,
        "grouped": 0,
    }


def test_sums_of_groups_hold_the_widest_matrix():
    config = TlmmConfig(tables=78, groups=3)
    assert (config.sum_bits, config.group_bits) == (40, 23)
    assert 1 << config.sum_bits - 1 > 128 * 128 * (127 << 7) * 2044 > 1 << config.sum_bits - 2


def test_a_matrix_with_groups_is_a_row_chunk_a_cycle():
    config = TlmmConfig(tables=78, groups=3)
    assert config.latency == 19
    fill = config.fill_cycles(78)
    assert config.cycles(4096, 2048, grouped=True) == 1 + fill + 6 * 4096 - 1 + 19


def test_sums_hold_the_widest_matrix():
    config = TlmmConfig(max_columns=6912)
    assert config.sum_bits == 21
    assert 1 << config.sum_bits - 1 > 6912 * 127


def test_fills_of_the_kv260_are_hidden_in_full_blocks():
    config = TlmmConfig()
    assert [config.fill_cycles(codes) for codes in (1, 4, 5, 77)] == [14, 17, 27, 261]
    fewest = dataclasses.replace(config, generators=2)
    assert fewest.fill_cycles(77) == 508 <= config.block_rows
    assert dataclasses.replace(config, generators=1).fill_cycles(77) > config.block_rows


def test_a_matrix_of_the_kv260_is_a_row_chunk_a_cycle():
    config = TlmmConfig()
    rows, columns = 4608, 1536
    assert config.latency == 11
    assert config.cycles(rows, columns) == 1 + 261 + 4 * rows - 1 + 11


def test_matrices_follow_each_other_without_a_gap():
    config = TlmmConfig()
    first, second = config.finish_cycles([(1024, 1536), (512, 4096)])
    assert first == config.cycles(1024, 1536)
    assert second == first + 11 * 512
