"""Scales of scores: there and back, means, intervals, and which one is chosen."""

import numpy as np
import pytest
from scipy.special import expit

from vaeimpute._likelihoods import log_interval_probability
from vaeimpute._scales import (
    Count,
    LogitNormal,
    LogNormal,
    Ordinal,
    choose_likelihood,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


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
        # So large that none can have a fraction.
        (lambda rng: 1e17 * lognormal(rng), "lognormal"),
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
