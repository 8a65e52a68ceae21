"""Densities of cells against SciPy, in either namespace."""

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import norm

from vaeimpute import _numpy_ops
from vaeimpute._likelihoods import (
    gaussian_log_density,
    level_log_probabilities,
    linear_logits,
    log_interval_probability,
    pool_levels,
    pool_numbers,
    shrink,
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


def test_interval_probability_keeps_its_digits_in_the_tails():
    # P(a < N < a + d) = d * density to first order, on either side.
    for at in (-30.0, 30.0):
        found = log_interval_probability(at, at + 1e-6, 0.0, 1.0)
        assert found == pytest.approx(np.log(1e-6) + norm.logpdf(at), rel=1e-4)
    assert log_interval_probability(-np.inf, np.inf, 0.0, 1.0) == 0.0
    assert log_interval_probability(1.0, 1.0, 0.0, 1.0) == -np.inf


@pytest.mark.parametrize("at", [-3.0, 0.5, 4.0])
def test_interval_probability_is_scipys(at):
    low, high = np.array([at, at, -np.inf]), np.array([at + 0.5, np.inf, at])
    found = log_interval_probability(low, high, 2.0, 3.0)
    expected = norm.cdf(high, 2.0, 3.0) - norm.cdf(low, 2.0, 3.0)
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-12)


def test_estimates_are_shrunk_by_the_share_of_chance():
    # Var = 6; of this .5 is chance on average: each keeps 5.5 / (5.5 + its variance).
    estimates = np.array([-2.0, 4.0, 1.0, 1.0 + np.sqrt(6), 1.0 - np.sqrt(6), 99.0])
    variances = np.array([0.1, 0.9, 0.5, 0.2, 0.8, 7.0])
    are_known = np.arange(6) < 5
    expected = 3.0 + 5.5 / (5.5 + variances) * (estimates - 3.0)
    expected[~are_known] = 3.0
    found = shrink(estimates, variances, are_known, common=3.0)
    np.testing.assert_allclose(found, expected)
    capped = 3.0 + 0.4 / (0.4 + variances) * (estimates - 3.0)
    found = shrink(estimates, variances, are_known, common=3.0, most=0.4)
    np.testing.assert_allclose(found[:5], capped[:5])


@pytest.mark.parametrize("n_known", [0, 1, 4])
@pytest.mark.parametrize("variance", [0.0, 2.0])
def test_estimates_that_differ_by_chance_alone_become_the_common_one(n_known, variance):
    estimates = 5.0 + np.array([1.0, -1.0, 1.0, -1.0]) * (variance > 0)
    are_known = np.arange(4) < n_known
    found = shrink(estimates, np.full(4, variance), are_known, common=3.0)
    np.testing.assert_array_equal(found, 3.0)


def test_lift_of_zero_is_a_probability_below_the_share():
    # log(softplus(0) / 10), softplus(0) = log 2
    logit = linear_logits(_numpy_ops, np.zeros(1), np.zeros((1, 1)))
    np.testing.assert_allclose(logit, np.log(np.log(2.0) / 10.0), rtol=1e-6)
