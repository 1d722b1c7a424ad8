"""Delays of cells and nets, against routed paths of the part."""

from tercel_hw.synthesis.delays import DELAYS


def test_a_net_is_slower_the_more_it_feeds():
    delays = [DELAYS.routed(loads) for loads in (1, 4, 20, 80, 500, 2000, 6500)]
    assert delays == sorted(set(delays))
    assert 200 <= delays[0] <= 300
    assert 1300 <= delays[-2] <= 1700


def test_a_table_with_its_net_takes_what_routed_designs_show():
    """0.35 to 0.5 ns at the usual fan-outs."""
    for loads in (1, 4, 16):
        assert 350 <= DELAYS.lut + DELAYS.routed(loads) <= 500


def test_block_ram_and_five_tables_just_fit_250_mhz():
    """As in the record of a routed design of the part; 0.4 ns are for skew and uncertainty."""
    tables = 5 * (DELAYS.lut + DELAYS.routed(6))
    whole = DELAYS.block_ram + tables + DELAYS.local_net + DELAYS.register_setup
    assert 3400 <= whole <= 3700
