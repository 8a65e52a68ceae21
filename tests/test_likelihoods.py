"""Densities of cells against SciPy, in either namespace."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax
from scipy.stats import norm

from vaeimpute import _numpy_ops
from vaeimpute._likelihoods import (
    Count,
    LogitNormal,
    LogNormal,
    Ordinal,
    choose_likelihood,
    gaussian_log_density,
    level_log_probabilities,
    linear_logits,
    log_interval_probability,
    pool_levels,
    pool_numbers,
)

#: Levels of each nominal column, and the column that each level belongs to.
N_LEVELS = [2, 5, 1, 3]
COLUMN = np.repeat(np.arange(4), N_LEVELS)
MEMBERSHIP = np.equal.outer(COLUMN, np.arange(4)).astype(np.float32)
BLOCKS = [COLUMN == k for k in range(4)]


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    if request.param == "numpy":
        return _numpy_ops
    import keras

    return keras.ops


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_gaussian_density_is_scipys(ops, rng):
    numbers, mean = rng.normal(size=(2, 6, 4)).astype(np.float32)
    log_variance = np.linspace(-5, 5, 4, dtype=np.float32)

    ours = gaussian_log_density(ops, numbers, mean, log_variance)

    theirs = norm.logpdf(numbers, mean, np.exp(0.5 * log_variance.astype(float)))
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-5, atol=1e-5)


def test_levels_of_each_column_are_certain_to_hold_one(ops, rng):
    logits = rng.normal(scale=8, size=(7, len(COLUMN))).astype(np.float32)

    log_probability = np.asarray(level_log_probabilities(ops, logits, MEMBERSHIP))

    total = np.exp(log_probability) @ MEMBERSHIP
    np.testing.assert_allclose(total, 1.0, rtol=1e-5)


def test_moderate_logits_give_the_softmax_of_each_column(ops, rng):
    logits = rng.uniform(-1, 1, size=(7, len(COLUMN))).astype(np.float32)

    ours = np.asarray(level_log_probabilities(ops, logits, MEMBERSHIP))

    for block in BLOCKS:
        theirs = log_softmax(logits[:, block].astype(float), axis=1)
        np.testing.assert_allclose(ours[:, block], theirs, atol=1e-3)


@pytest.mark.parametrize("sign", [-1, 1])
def test_extreme_logits_stay_finite(ops, sign):
    logits = np.zeros((2, len(COLUMN)), np.float32)
    logits[0] = sign * 1e6
    logits[1, ::2] = sign * 1e6

    log_probability = np.asarray(level_log_probabilities(ops, logits, MEMBERSHIP))

    assert np.all(np.isfinite(log_probability))
    assert np.all(log_probability <= 1e-5)
    # All levels alike, however extreme: equal shares.
    equal = -np.log(np.repeat(N_LEVELS, N_LEVELS))
    np.testing.assert_allclose(log_probability[0], equal, atol=1e-4)


def test_columns_without_a_level_change_nothing(ops, rng):
    logits = rng.normal(size=(3, len(COLUMN))).astype(np.float32)
    padded = np.pad(MEMBERSHIP, [(0, 0), (0, 2)])
    np.testing.assert_array_equal(
        np.asarray(level_log_probabilities(ops, logits, padded)),
        np.asarray(level_log_probabilities(ops, logits, MEMBERSHIP)),
    )


def test_a_lift_of_one_gives_the_shares(ops):
    share = np.array([0.7, 0.25, 0.05], np.float32)
    lift = np.ones((2, 3), np.float32)

    logits = linear_logits(ops, np.log(share), lift)

    np.testing.assert_allclose(np.exp(np.asarray(logits)), [share, share], rtol=1e-4)
    log_probability = level_log_probabilities(
        ops, logits, np.ones((3, 1), dtype=np.float32)
    )
    np.testing.assert_allclose(
        np.exp(np.asarray(log_probability)), [share, share], rtol=0.02
    )


def test_lifts_above_the_corner_multiply_the_shares(ops):
    lift = np.array([[0.8, 1.5, 3.0, 20.0]], np.float32)
    log_share = np.log(np.array([0.4, 0.3, 0.2, 0.1], np.float32))

    logits = np.asarray(linear_logits(ops, log_share, lift))

    np.testing.assert_allclose(logits, log_share + np.log(lift), atol=1e-4)


def test_lifts_below_zero_are_finite_and_keep_their_order(ops):
    lift = np.linspace(-1, 1, 21, dtype=np.float32)[None]
    logits = np.asarray(linear_logits(ops, np.zeros(21, np.float32), lift))
    assert np.all(np.diff(logits) > 0)

    lowest = linear_logits(ops, np.zeros(1, np.float32), np.full((1, 1), -1e6))
    assert np.isfinite(np.asarray(lowest)).all()


# Numbers on a scale of scores.


def lognormal(rng, n_rows=400):
    return rng.lognormal(2, 1, size=n_rows)


def with_zeros(rng, n_rows=400):
    return np.where(rng.random(n_rows) < 0.4, 0.0, lognormal(rng, n_rows))


def counts(rng, n_rows=400):
    return rng.negative_binomial(1, 0.1, size=n_rows).astype(float)


def shares(rng, n_rows=400):
    return expit(rng.normal(-3, 1.5, size=n_rows))


def codes(rng, n_rows=400):
    return rng.choice(4, p=[0.1, 0.5, 0.3, 0.1], size=n_rows).astype(float)


CONTINUOUS = [(LogNormal, lognormal), (LogNormal, with_zeros), (LogitNormal, shares)]
DISCRETE = [(Count, counts), (Ordinal, codes)]


def fitted(kind, make, rng):
    known = make(rng)
    extra = (4,) if kind is Ordinal else ()
    return kind.fit(known, *extra), known


@pytest.mark.parametrize(("kind", "make"), CONTINUOUS + DISCRETE)
def test_values_come_back_from_their_scores(kind, make, rng):
    likelihood, known = fitted(kind, make, rng)
    back = likelihood.draw(likelihood.scores(known))
    np.testing.assert_allclose(back, known, rtol=1e-9, atol=1e-9)
    assert np.isnan(likelihood.scores(np.array([np.nan]))).all()


@pytest.mark.parametrize(("kind", "make"), CONTINUOUS)
def test_slope_is_the_derivative_of_the_scores(kind, make, rng):
    likelihood, known = fitted(kind, make, rng)
    inner = np.sort(known)[10:-10]
    inner = inner[inner > 0]
    step = 1e-6 * inner
    rise = likelihood.scores(inner + step) - likelihood.scores(inner - step)
    np.testing.assert_allclose(
        likelihood.log_slope(inner), np.log(rise / (2 * step)), atol=1e-4
    )


@pytest.mark.parametrize(("kind", "make"), CONTINUOUS)
def test_mean_is_that_of_draws(kind, make, rng):
    likelihood, known = fitted(kind, make, rng)
    centre = np.quantile(likelihood.scores(known), [0.3, 0.5, 0.6])
    spread = np.array([0.1, 0.3, 0.5])
    drawn = centre[:, None] + spread[:, None] * rng.normal(size=(3, 100_000))
    mean = likelihood.draw(drawn).mean(axis=1)
    np.testing.assert_allclose(likelihood.mean(centre, spread), mean, rtol=0.05)


def test_mean_of_a_log_normal_variable_is_known():
    wide = LogNormal(0.0, 1e-9, 1e9)
    centre, spread = np.array([0.0, 1.0, -2.0]), np.array([0.1, 0.7, 1.0])
    np.testing.assert_allclose(
        wide.mean(centre, spread), np.exp(centre + spread**2 / 2), rtol=1e-6
    )


@pytest.mark.parametrize(("kind", "make"), [(LogNormal, with_zeros), (Count, counts)])
def test_mean_stays_in_the_observed_range(kind, make, rng):
    likelihood, known = fitted(kind, make, rng)
    mean = likelihood.mean(np.array([-50.0, 0.0, 50.0]), np.full(3, 9.0))
    assert np.all((mean >= known.min()) & (mean <= known.max()))


@pytest.mark.parametrize(("kind", "make"), DISCRETE)
@pytest.mark.parametrize("spread", [0.05, 0.5, 1.5])
def test_probabilities_of_all_values_add_up_to_one(kind, make, rng, spread):
    likelihood, known = fitted(kind, make, rng)
    every = np.arange(4.0 if kind is Ordinal else 20_000.0)
    low, high = likelihood.interval(every)
    centre = np.median(likelihood.scores(known))
    log_probability = log_interval_probability(low, high, centre, spread)
    assert np.exp(log_probability).sum() == pytest.approx(1.0, abs=2e-3)
    np.testing.assert_array_equal(low[1:], high[:-1])


def test_interval_probability_keeps_its_digits_in_the_tails():
    # P(a < N < a + d) = d * density to first order, on either side.
    for at in (-30.0, 30.0):
        found = log_interval_probability(at, at + 1e-6, 0.0, 1.0)
        assert found == pytest.approx(np.log(1e-6) + norm.logpdf(at), rel=1e-4)
    assert log_interval_probability(-np.inf, np.inf, 0.0, 1.0) == 0.0
    assert log_interval_probability(1.0, 1.0, 0.0, 1.0) == -np.inf


def test_ordinal_shares_come_back_at_no_knowledge(rng):
    known = codes(rng)
    likelihood = Ordinal.fit(known, 4)
    low, high = likelihood.interval(np.arange(4.0))
    np.testing.assert_allclose(
        np.exp(log_interval_probability(low, high, 0.0, 1.0)),
        np.bincount(known.astype(int)) / len(known),
    )
    # Scores of the observed cells have mean zero, and their likeliest level is 1.
    assert likelihood.scores(known).mean() == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_array_equal(likelihood.mean(np.zeros(1), np.ones(1)), 1.0)


def test_ordinal_level_never_seen_has_no_score():
    likelihood = Ordinal.fit(np.array([0.0, 0.0, 2.0, 3.0]), 5)
    scores = likelihood.scores(np.arange(5.0))
    np.testing.assert_array_equal(np.isnan(scores), [False, True, False, False, True])
    assert np.all(np.diff(scores[[0, 2, 3]]) > 0)


def test_lonely_values_below_the_known_range_keep_finite_scores():
    likelihood = LogNormal.fit(np.array([1.0, 2.0, 50.0]))
    assert np.all(np.isfinite(likelihood.scores(np.array([0.0, -7.0, 1e-3]))))
    share = LogitNormal.fit(np.array([0.0, 0.2, 1.0]))
    assert np.all(np.isfinite(share.scores(np.array([0.0, 1.0, -0.1, 1.1]))))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda rng: rng.normal(size=400), "normal"),
        (lambda rng: -lognormal(rng), "normal"),
        (lognormal, "lognormal"),
        (with_zeros, "lognormal"),
        (counts, "count"),
        (shares, "logitnormal"),
        (lambda rng: rng.random(400), "normal"),
        (lambda rng: np.full(400, 7.0), "normal"),
        (lambda rng: 1e300 * rng.normal(size=400), "normal"),
        (lambda rng: 1e-300 * lognormal(rng), "lognormal"),
        # Two values are as skewed on any scale.
        (lambda rng: (rng.random(400) < 0.05).astype(float), "normal"),
    ],
)
def test_likelihood_follows_the_values(make, name, rng):
    assert choose_likelihood(make(rng)).name == name


@pytest.mark.parametrize(
    ("kind", "known", "message"),
    [
        (LogNormal, [-1.0, 2.0], "values from -1 to 2, expected none below 0"),
        (Count, [-1.0, 2.0], "values from -1 to 2, expected none below 0"),
        (Count, [0.5, 2.0], "fractions, expected whole numbers"),
        (LogitNormal, [0.5, 200.0], "values from 0.5 to 200, expected shares"),
    ],
)
def test_unsuitable_values_are_refused(kind, known, message):
    with pytest.raises(ValueError, match=message):
        kind.fit(np.array(known))


def test_pooled_answers_lie_between(rng):
    first, second = rng.dirichlet(np.ones(4), size=(2, 6))
    pooled = np.exp(pool_levels(np.log(first), np.log(second), 0.25))
    np.testing.assert_allclose(pooled, 0.75 * first + 0.25 * second)
    np.testing.assert_allclose(
        pool_numbers(first, second, 0.25), 0.75 * first + 0.25 * second
    )


@pytest.mark.parametrize(("share", "which"), [(0.0, 0), (1.0, 1)])
def test_pool_of_one_is_that_one(rng, share, which):
    both = rng.normal(size=(2, 6, 4))
    np.testing.assert_array_equal(pool_levels(*both, share), both[which])
    np.testing.assert_array_equal(pool_numbers(*both, share), both[which])
