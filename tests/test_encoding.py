"""Encoded rows: what they hold, and the way back."""

import numpy as np
import pytest

from vaeimpute._columns import Column
from vaeimpute._encoding import BINS_IF_NARROW as N_BINS
from vaeimpute._encoding import BINS_IF_WIDE, Encoding


def columns_of(*columns):
    """Return columns: "numeric" or a number of levels for each."""
    return tuple(
        Column(f"c{j}", "numeric", "float64")
        if column == "numeric"
        else Column(f"c{j}", "nominal", "str", tuple(range(column)))
        for j, column in enumerate(columns)
    )


def decode(encoding, numbers, log_levels):
    """Fill a table without any observed cell by guesses of no variance."""
    values = np.full((len(numbers), encoding.n_columns), np.nan)
    numbers = numbers.astype(float)
    return encoding.fill(values, numbers, np.zeros(numbers.shape), log_levels)


def fit_numbers(numbers):
    values = np.asarray(numbers, float).reshape(-1, 1)
    return values, Encoding.fit(values, columns_of("numeric"))


def fit_codes(codes, n_levels):
    values = np.asarray(codes, float).reshape(-1, 1)
    encoding = Encoding.fit(values, columns_of(n_levels))
    return values, encoding, encoding.levels[0]


def certain(encoding, rows):
    """Return log-probabilities under which every cell surely holds its own level."""
    n_levels = sum(len(levels.share) for levels in encoding.levels)
    log_levels = np.full((len(rows.values), n_levels), -50.0)
    codes = rows.values[:, len(encoding.numeric) :].astype(int)
    for code, block in zip(codes.T, encoding.level_blocks(), strict=True):
        log_levels[np.arange(len(code)), block.start + code] = 0.0
    return log_levels


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def mixed(rng):
    """Values and columns: nominal columns stand among numeric ones; one is empty."""
    n_rows = 80
    values = np.column_stack(
        [
            rng.integers(3, size=n_rows),
            rng.normal(5, 2, size=n_rows),
            np.full(n_rows, np.nan),
            rng.integers(5, size=n_rows),
            rng.normal(-1e5, 1e4, size=n_rows),
            np.full(n_rows, np.nan),
        ]
    ).astype(float)
    values[rng.random(values.shape) < 0.2] = np.nan
    columns = columns_of(3, "numeric", "numeric", 5, "numeric", 4)
    return values, columns


# Numbers.


@pytest.mark.parametrize("exponent", [-300, -160, -20, 0, 20, 160, 300])
@pytest.mark.parametrize("centre", [0.0, 1.0, -7.0])
def test_numbers_of_any_size_are_standardised(rng, exponent, centre):
    numbers = (centre + rng.normal(size=50)) * 10.0**exponent
    values, encoding = fit_numbers(numbers)

    rows = encoding.encode(values)

    assert rows.values.mean() == pytest.approx(0.0, abs=1e-5)
    assert rows.values.std() == pytest.approx(1.0, abs=1e-5)
    back = decode(encoding, rows.values, np.zeros((50, 0)))
    np.testing.assert_allclose(
        back, values, rtol=0, atol=1e-5 * encoding.numbers[0].scale
    )


def test_standardising_ignores_units(rng):
    numbers = rng.normal(size=50)
    first, second = (fit_numbers(scale * numbers)[1] for scale in (1.0, 2.0**40))
    np.testing.assert_array_equal(first.numbers[0].edges, second.numbers[0].edges)
    np.testing.assert_array_equal(
        first.numbers[0].resolution, second.numbers[0].resolution
    )
    np.testing.assert_array_equal(
        first.numbers[0].scale * 2.0**40, second.numbers[0].scale
    )


@pytest.mark.parametrize("number", [0.0, 0.1, -7.0, 1e300, -1e-300, 5e-324, 1.7e308])
def test_constant_comes_back_to_the_bit(number):
    values, encoding = fit_numbers([number] * 7 + [np.nan])

    rows = encoding.encode(values)

    np.testing.assert_array_equal(rows.values, 0.0)
    np.testing.assert_array_equal(rows.observed[:, 0], [True] * 7 + [False])
    back = decode(encoding, rows.values, np.zeros((8, 0)))
    np.testing.assert_array_equal(back, number)
    assert np.all(np.diff(encoding.numbers[0].edges) > 0)


def test_numbers_that_differ_by_rounding_alone_are_a_constant():
    number = 0.1 + 0.2
    values, encoding = fit_numbers([0.3, number, 0.3, 0.3, number])
    assert np.abs(encoding.encode(values).values).max() < 1e-9


@pytest.mark.parametrize(
    "numbers",
    [
        [0, 1] * 20,
        np.arange(3),
        [1.0] * 90 + [2.0] * 2,
        np.random.default_rng(0).lognormal(sigma=3, size=500),
        [5.0],
    ],
    ids=["two numbers", "fewer than bins", "ties", "heavy tail", "one cell"],
)
def test_edges_increase_and_span_the_numbers(numbers):
    values, encoding = fit_numbers(numbers)
    edges = encoding.layout().edges
    assert edges.shape == (1, N_BINS + 1)
    assert edges.dtype == np.float32
    assert np.all(np.diff(edges) > 0)
    encoded = encoding.encode(values).values
    assert edges[0, 0] <= encoded.min() + 1e-5
    assert edges[0, -1] >= encoded.max() - 1e-5


def test_edges_are_quantiles(rng):
    values, encoding = fit_numbers(rng.normal(size=N_BINS * 400))
    encoded = encoding.encode(values).values[:, 0]
    inside, _ = np.histogram(encoded, encoding.numbers[0].edges)
    np.testing.assert_allclose(inside, 400, rtol=0.05)


def test_resolution_is_the_smallest_gap(rng):
    _, encoding = fit_numbers([0, 10, 13, 20, 13, np.nan, 0])
    assert encoding.numbers[0].resolution * encoding.numbers[0].scale == pytest.approx(
        3.0
    )

    _, encoding = fit_numbers(rng.integers(100, size=300))
    assert encoding.numbers[0].resolution * encoding.numbers[0].scale == pytest.approx(
        1.0
    )


def test_resolution_of_a_constant_is_one():
    assert fit_numbers([4.0, 4.0])[1].numbers[0].resolution == 1.0


# Levels.


@pytest.mark.parametrize("n_levels", [2, 3, 8])
def test_scores_are_standard_and_uncorrelated_over_the_table(rng, n_levels):
    share = rng.dirichlet(np.full(n_levels, 3.0))
    codes = np.append(rng.choice(n_levels, p=share, size=400), 3 * [*range(n_levels)])
    _, _, levels = fit_codes(codes, n_levels)

    scores = levels.contrast[codes]

    assert scores.shape[1] == n_levels - 1
    np.testing.assert_allclose(scores.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(
        scores.T @ scores / len(codes), np.eye(n_levels - 1), atol=1e-12
    )


def test_scores_predict_the_level_back(rng):
    codes = rng.choice(4, p=[0.6, 0.2, 0.1, 0.1], size=200)
    _, _, levels = fit_codes(codes, 4)

    predicted = levels.share * (1 + levels.contrast @ levels.contrast.T)

    np.testing.assert_allclose(predicted, np.eye(4), atol=1e-12)
    # Nothing known of a cell: scores of zero, and the shares come back.
    no_scores = np.zeros(levels.contrast.shape[1])
    shares = levels.share * (1 + levels.contrast @ no_scores)
    np.testing.assert_allclose(shares, np.bincount(codes) / 200)


def test_rare_levels_share_one_score():
    codes = [0] * 20 + [1] * 10 + [2] * 2 + [3, 4]
    _, _, levels = fit_codes(codes, 5)

    np.testing.assert_allclose(levels.share, np.array([20, 10, 2, 1, 1]) / 34)
    assert levels.contrast.shape == (5, 2)
    np.testing.assert_array_equal(levels.contrast[3], levels.contrast[2])
    np.testing.assert_array_equal(levels.contrast[4], levels.contrast[2])
    assert not np.allclose(levels.contrast[1], levels.contrast[2])


def test_levels_too_rare_even_together_have_no_score():
    codes = [0] * 20 + [1] * 10 + [2, 3]
    _, _, levels = fit_codes(codes, 4)
    assert levels.contrast.shape == (4, 1)
    np.testing.assert_array_equal(levels.contrast[2:], 0.0)
    assert np.all(levels.share[2:] > 0)


def test_many_levels_have_few_scores(rng):
    codes = rng.choice(200, size=5_000)
    _, _, levels = fit_codes(codes, 200)

    groups, group = np.unique(levels.contrast, axis=0, return_inverse=True)
    group = group.reshape(-1)  # NumPy 2.0 alone gives it two axes

    assert len(groups) == 33
    assert levels.contrast.shape == (200, 32)
    common = np.argsort(-levels.share, kind="stable")[:32]
    np.testing.assert_array_equal(np.bincount(group)[group[common]], 1)


@pytest.mark.parametrize("codes", [[0, 0, 0, 0], [0, np.nan], [0, 1], [1, 1, 1, 0]])
def test_columns_with_nothing_to_tell_have_no_score(codes):
    _, _, levels = fit_codes(codes, 2)
    assert levels.contrast.shape[0] == 2
    assert np.all(np.isfinite(levels.contrast))
    np.testing.assert_array_equal(levels.contrast, 0.0)


def test_level_never_seen_counts_as_unobserved():
    _, encoding, levels = fit_codes([0, 0, 2, 2, 2, np.nan], 4)
    assert levels.share[1] == levels.share[3] == 0.0

    rows = encoding.encode(np.array([[0.0], [1.0], [2.0], [3.0], [np.nan]]))

    np.testing.assert_array_equal(
        rows.observed[:, 0], [True, False, True, False, False]
    )
    np.testing.assert_array_equal(rows.values[:, 0], [0, 0, 2, 0, 0])
    assert np.all(np.isfinite(encoding.layout().log_share))


# Tables.


def test_round_trip_of_a_mixed_table(mixed):
    values, columns = mixed
    encoding = Encoding.fit(values, columns)

    rows = encoding.encode(values)
    back = decode(encoding, rows.values[:, :2], certain(encoding, rows))

    known = ~np.isnan(values)
    np.testing.assert_allclose(back[known], values[known], rtol=1e-5)
    np.testing.assert_array_equal(
        back[:, [0, 3]][known[:, [0, 3]]], values[:, [0, 3]][known[:, [0, 3]]]
    )


def test_numeric_columns_come_first_and_empty_ones_stay_out(mixed):
    values, columns = mixed
    encoding = Encoding.fit(values, columns)

    np.testing.assert_array_equal(encoding.encoded, [1, 4, 0, 3])
    assert encoding.labels == (
        "Column 'c1'",
        "Column 'c4'",
        "Column 'c0'",
        "Column 'c3'",
    )
    rows = encoding.encode(values)
    np.testing.assert_array_equal(rows.observed, ~np.isnan(values[:, [1, 4, 0, 3]]))
    assert rows.values.dtype == np.float32
    np.testing.assert_array_equal(rows.values[~rows.observed], 0.0)
    back = decode(encoding, rows.values[:, :2], certain(encoding, rows))
    np.testing.assert_array_equal(back[:, [2, 5]], 0.0)


def test_layout_of_a_mixed_table(mixed):
    encoding = Encoding.fit(*mixed)
    layout = encoding.layout()

    assert layout.edges.shape == (2, N_BINS + 1)
    assert layout.contrast.shape == (8, 6)
    np.testing.assert_array_equal(layout.level_column, [0, 0, 0, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(layout.level_code, [0, 1, 2, 0, 1, 2, 3, 4])
    np.testing.assert_array_equal(layout.membership.sum(axis=0), [3, 5])
    np.testing.assert_array_equal(layout.membership.sum(axis=1), 1)
    np.testing.assert_array_equal(layout.score_membership.sum(axis=1), [2, 4])
    assert encoding.level_blocks() == [slice(0, 3), slice(3, 8)]
    assert encoding.score_blocks() == [slice(0, 2), slice(2, 6)]
    for k, (of_levels, of_scores) in enumerate(
        zip(encoding.level_blocks(), encoding.score_blocks(), strict=True)
    ):
        np.testing.assert_array_equal(
            layout.contrast[of_levels, of_scores],
            encoding.levels[k].contrast.astype(np.float32),
        )
        share = np.exp(layout.log_share[of_levels])
        np.testing.assert_allclose(share.sum(), 1.0, rtol=1e-5)
    # A level's scores are zero in the other column's.
    np.testing.assert_array_equal(layout.contrast[:3, 2:], 0.0)
    np.testing.assert_array_equal(layout.contrast[3:, :2], 0.0)


@pytest.mark.parametrize("kinds", [("numeric",) * 3, (2, 3, 4)])
def test_layout_of_one_kind_alone(rng, kinds):
    values = rng.integers(2, size=(40, 3)).astype(float)
    layout = Encoding.fit(values, columns_of(*kinds)).layout()

    n_numeric, n_nominal = kinds.count("numeric"), 3 - kinds.count("numeric")
    n_levels = sum(kinds) if n_nominal else 0
    assert layout.edges.shape == (n_numeric, N_BINS + 1)
    assert layout.membership.shape == (n_levels, n_nominal)
    assert layout.score_membership.shape[0] == n_nominal
    assert layout.contrast.shape[0] == len(layout.log_share) == n_levels


def test_new_rows_may_leave_the_range_of_the_old():
    _, encoding = fit_numbers([1.0, 2.0, 3.0])
    rows = encoding.encode(np.array([[100.0], [-np.inf], [np.nan]]))
    np.testing.assert_array_equal(rows.observed[:, 0], [True, True, False])
    assert rows.values[0, 0] == pytest.approx(98 / np.std([1, 2, 3]), rel=1e-6)


def test_wide_tables_have_fewer_bins(rng):
    values = rng.normal(size=(50, 17))
    layout = Encoding.fit(values, columns_of(*["numeric"] * 17)).layout()
    assert layout.edges.shape == (17, BINS_IF_WIDE + 1)


def test_variances_count_where_a_scale_is_bent_alone(rng):
    numbers = rng.normal(size=(200, 2))
    for values, counts in [(numbers, False), (np.exp(numbers), True)]:
        encoding = Encoding.fit(values, columns_of("numeric", "numeric"))
        assert encoding.fills_by_variance == counts
        unknown, none = np.full((5, 2), np.nan), np.zeros((5, 0))
        narrow, wide = (
            encoding.fill(unknown, numbers[:5], np.full((5, 2), variance), none)
            for variance in (0.0, 1.0)
        )
        assert np.array_equal(narrow, wide) != counts
