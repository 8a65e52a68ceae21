"""Random numbers that belong to rows."""

import numpy as np

from vaeimpute._row_streams import RowStreams, content_seeds


def test_seeds_go_with_the_rows():
    values = np.random.default_rng(0).normal(size=(20, 3))
    values[::3, 1] = np.nan
    seeds = content_seeds(values, 7)
    order = np.random.default_rng(1).permutation(20)
    assert content_seeds(values[order], 7) == [seeds[i] for i in order]
    assert content_seeds(values[4:9], 7) == seeds[4:9]
    assert len(set(seeds)) == 20


def test_another_seed_or_content_gives_other_seeds():
    values = np.arange(6.0).reshape(2, 3)
    seeds = content_seeds(values, 7)
    assert not set(seeds) & set(content_seeds(values, 8))
    other = values.copy()
    other[0, 2] = np.nan
    assert content_seeds(other, 7)[0] != seeds[0]
    assert content_seeds(other, 7)[1] == seeds[1]


def test_equal_rows_have_seeds_of_their_own():
    values = np.tile([1.0, np.nan], (5, 1))
    seeds = content_seeds(values, 0)
    assert len(set(seeds)) == 5
    assert content_seeds(values[:2], 0) == seeds[:2]


def test_how_zero_and_nan_are_written_does_not_matter():
    signed_nan = np.copysign(np.nan, -1.0)
    one = content_seeds(np.array([[0.0, np.nan]]), 0)
    assert content_seeds(np.array([[-0.0, signed_nan]]), 0) == one
    both = np.array([[0.0, np.nan]])[:, ::-1]
    assert content_seeds(both, 0) != one


def test_streams_do_not_depend_on_the_rows_beside_them():
    seeds = [11, 2**100, 13]
    streams, alone = RowStreams(seeds), RowStreams(seeds[1:2])
    for draw in ("normal", "gumbel", "uniform", "normal"):
        together = getattr(streams, draw)(4, 2)
        assert together.shape == (3, 4, 2)
        np.testing.assert_array_equal(together[1:2], getattr(alone, draw)(4, 2))


def test_no_rows_and_no_numbers():
    assert RowStreams([]).normal(3, 2).shape == (0, 3, 2)
    assert RowStreams([1, 2]).gumbel(0).shape == (2, 0)


def test_draws_have_their_distribution():
    streams = RowStreams(content_seeds(np.arange(4_000.0)[:, None], 0))
    normal, gumbel, uniform = streams.normal(5), streams.gumbel(5), streams.uniform(5)
    assert abs(np.mean(uniform < 0.3) - 0.3) < 0.015
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1.0) < 0.03
    # The median of Gumbel's distribution is -log log 2.
    assert abs(np.mean(gumbel < -np.log(np.log(2.0))) - 0.5) < 0.015
    correlation = np.corrcoef(normal, rowvar=False) - np.eye(5)
    assert np.abs(correlation).max() < 0.08
