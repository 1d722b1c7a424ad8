import hashlib

import numpy as np
import pytest
from scipy import stats

from tercel.sampling import gumbel, uniform
from tercel.sampling.noise import louder_than


def test_noise_depends_on_the_three_keys_alone():
    tokens = np.arange(1000)
    noise = gumbel(5, 7, tokens)
    assert np.array_equal(noise[[3, 900]], gumbel(5, 7, [3, 900]))
    assert not np.isin(noise, gumbel(6, 7, tokens)).any()
    assert not np.isin(noise, gumbel(5, 8, tokens)).any()


def splitmix64(state):
    """The published generator, one output."""
    mask = 2**64 - 1
    state = state + 0x9E3779B97F4A7C15 & mask
    z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return state, z ^ z >> 31


def test_noise_is_the_documented_function():
    """The text of a seed is part of the contract, and so are these numbers."""
    state, outputs = 1234567, []
    for _ in range(2):
        state, output = splitmix64(state)
        outputs.append(output)
    assert outputs == [6457827717110365317, 3203168211198807973], "the published test vector"
    golden, mask = 0x9E3779B97F4A7C15, 2**64 - 1
    for seed, position in ((0, 0), (42, 1000), (2**64 - 1, 5)):
        _, hashed = splitmix64(seed - golden & mask)
        _, state = splitmix64(hashed + (position - 1) * golden & mask)
        for token in range(5):
            state, bits = splitmix64(state)
            uniform = ((bits >> 11) + 0.5) / 2**53
            assert gumbel(seed, position, [token])[0] == -np.log(-np.log(uniform))


def test_extreme_keys_are_finite():
    for seed in (0, 2**64 - 1):
        for position in (0, 2**31 - 1):
            assert np.isfinite(gumbel(seed, position, [0, 2**31 - 1])).all()


def test_noise_is_gumbel_along_every_key():
    along = {
        "tokens": gumbel(1, 2, np.arange(20000)),
        "positions": np.concatenate([gumbel(1, position, [3]) for position in range(5000)]),
        "seeds": np.concatenate([gumbel(seed, 5, [3]) for seed in range(5000)]),
    }
    for key, noise in along.items():
        assert stats.kstest(noise, "gumbel_r").pvalue > 0.01, key
        assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.05, key


def test_streams_are_uniform_and_independent_along_every_key():
    along = {
        "streams": np.array([uniform(1, 2, str(stream)) for stream in range(5000)]),
        "positions": np.array([uniform(1, position, "residual") for position in range(5000)]),
        "seeds": np.array([uniform(seed, 5, "residual") for seed in range(5000)]),
    }
    other = np.array([uniform(1, position, "accept 0") for position in range(5000)])
    for key, numbers in along.items():
        assert 0 < numbers.min() < numbers.max() < 1
        assert stats.kstest(numbers, "uniform").pvalue > 0.01, key
        assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.05, key
    assert abs(np.corrcoef(along["positions"], other)[0, 1]) < 0.05
    noise = [gumbel(1, position, [0])[0] for position in range(5000)]
    assert abs(np.corrcoef(along["positions"], noise)[0, 1]) < 0.05


def test_a_stream_is_a_pure_function():
    """These numbers are part of the contract, as those of the noise are."""
    assert uniform(5, 7, "residual") == uniform(5, 7, "residual")
    assert (
        len({uniform(5, 7, "a"), uniform(5, 7, "b"), uniform(5, 8, "a"), uniform(6, 7, "a")}) == 4
    )
    golden, mask = 0x9E3779B97F4A7C15, 2**64 - 1
    key = int.from_bytes(hashlib.blake2b(b"residual", digest_size=8).digest(), "little")
    for seed, position in ((0, 0), (42, 1000), (2**64 - 1, 5)):
        _, hashed = splitmix64((seed ^ key) - golden & mask)
        _, state = splitmix64(hashed + (position - 1) * golden & mask)
        _, bits = splitmix64(state)
        assert uniform(seed, position, "residual") == ((bits >> 11) + 0.5) / 2**53


@pytest.mark.parametrize("tokens", [1, 8191, 8192, 20000])
@pytest.mark.parametrize("least", [-1e9, -2.0, 0.0, 4.5, 9.0, 36.0, 1e9])
def test_no_loud_token_is_missed_and_few_others_come(tokens, least):
    noise = gumbel(3, 17, np.arange(tokens))
    found = louder_than(3, 17, tokens, least)
    loud = np.flatnonzero(noise >= least)
    assert found.dtype == np.int64
    assert np.isin(loud, found).all()
    assert (noise[found] > least - 1e-6).all() or least > 15
    assert len(found) <= len(loud) + 1


def test_the_loudest_tokens_are_found_by_their_own_noise():
    tokens = np.arange(1 << 20)
    noise = gumbel(1, 2, tokens)
    loudest = np.argsort(-noise)[:20]
    assert np.array_equal(louder_than(1, 2, len(tokens), noise[loudest[-1]]), np.sort(loudest))


def unmix(z):
    """The inverse of splitmix64's finaliser."""
    for shift, factor in ((31, 1), (27, 0x94D049BB133111EB), (30, 0xBF58476D1CE4E5B9)):
        z = z * pow(factor, -1, 2**64) % 2**64
        z ^= z >> shift ^ z >> 2 * shift
    return z


def seed_of(output, position, key=0):
    """The seed whose first number at a position is ``output``."""
    golden = 0x9E3779B97F4A7C15
    start = (unmix(output) - golden) % 2**64
    return unmix((unmix(start) - position * golden) % 2**64) ^ key


def test_the_highest_hash_gives_a_finite_number():
    assert unmix(splitmix64(5)[1]) == (5 + 0x9E3779B97F4A7C15) % 2**64
    seed = seed_of(2**64 - 1, position=9)
    noise = gumbel(seed, 9, [0, 1])
    assert np.isfinite(noise).all()
    assert noise[0] == -np.log(-np.log(1 - 2.0**-53))
    assert 0 in louder_than(seed, 9, 4096, float(noise[0]))
    key = int.from_bytes(hashlib.blake2b(b"bonus", digest_size=8).digest(), "little")
    assert uniform(seed_of(2**64 - 1, position=9, key=key), 9, "bonus") == 1 - 2.0**-53
