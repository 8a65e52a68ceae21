"""Rivals that the benchmark brings itself: known answers, so that they are no straw."""

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer

from benchmarks.rivals.chained_regressions import ChainedRegressions
from benchmarks.rivals.em_gaussian import GaussianEM
from benchmarks.rivals.miss_forest import MissForest
from vaeimpute.metrics import accuracy, nrmse


@pytest.fixture(scope="module")
def normal():
    """Draws of a normal distribution with gaps, complete draws, mean and covariance."""
    rng = np.random.default_rng(0)
    loadings = rng.normal(size=(4, 4))
    covariance = loadings @ loadings.T + 0.3 * np.eye(4)
    mean = np.array([1.0, -2.0, 0.0, 3.0])
    complete = rng.multivariate_normal(mean, covariance, size=4_000)
    gaps = np.where(rng.random(complete.shape) < 0.3, np.nan, complete)
    return gaps, complete, mean, covariance


def test_em_finds_mean_and_covariance_despite_the_gaps(normal):
    gaps, _, mean, covariance = normal
    fitted = GaussianEM(tol=1e-6, max_iter=500).fit(gaps)
    np.testing.assert_allclose(fitted.mean_, mean, atol=0.12)
    np.testing.assert_allclose(fitted.covariance_, covariance, atol=0.35)


def test_em_fills_the_conditional_mean_of_what_it_fitted(normal):
    gaps, *_ = normal
    fitted = GaussianEM().fit(gaps)
    row = np.array([[np.nan, 0.5, np.nan, 2.0]])
    known, gap = [1, 3], [0, 2]
    b, s = fitted.mean_, fitted.covariance_
    slopes = s[np.ix_(gap, known)] @ np.linalg.inv(s[np.ix_(known, known)])
    expected = b[gap] + slopes @ (row[0, known] - b[known])
    filled = fitted.transform(row)
    np.testing.assert_allclose(filled[0, gap], expected, rtol=1e-10)
    np.testing.assert_array_equal(filled[0, known], row[0, known])


def test_em_draws_from_the_conditional_distribution(normal):
    gaps, *_ = normal
    fitted = GaussianEM().fit(gaps)
    row = np.array([[np.nan, 0.5, np.nan, 2.0]])
    draws = np.array(fitted.draw(row, 20_000, random_state=0))[:, 0]
    known, gap = [1, 3], [0, 2]
    s = fitted.covariance_
    slopes = s[np.ix_(gap, known)] @ np.linalg.inv(s[np.ix_(known, known)])
    rest = s[np.ix_(gap, gap)] - slopes @ s[np.ix_(known, gap)]
    np.testing.assert_array_equal(draws[:, known], np.tile(row[0, known], (20_000, 1)))
    mean = fitted.transform(row)[0, gap]
    np.testing.assert_allclose(draws[:, gap].mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(draws[:, gap].T), rest, atol=0.05)


def test_chained_draws_spread_as_the_regression_says():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2_000, 1)) + [0.0, 1.0] + 0.5 * rng.normal(size=(2_000, 2))
    gaps = X.copy()
    gaps[:500, 1] = np.nan
    fitted = ChainedRegressions(random_state=0).fit(gaps)
    draws = np.array(fitted.draw(gaps, 30, random_state=0))
    np.testing.assert_array_equal(draws[:, 500:], np.tile(X[None, 500:], (30, 1, 1)))
    point = fitted.transform(gaps)[:500, 1]
    np.testing.assert_allclose(draws[:, :500, 1].mean(axis=0), point, atol=0.6)
    # Var(second | first) = 1.25 - 1 / 1.25.
    assert draws[:, :500, 1].std(axis=0).mean() == pytest.approx(0.67, abs=0.04)


def test_em_without_gaps_is_the_sample_covariance(normal):
    _, complete, *_ = normal
    fitted = GaussianEM(ridge=0.0).fit(complete)
    np.testing.assert_allclose(fitted.covariance_, np.cov(complete.T, bias=True))
    np.testing.assert_array_equal(fitted.transform(complete), complete)


def test_em_bears_columns_that_determine_each_other():
    rng = np.random.default_rng(0)
    number = rng.normal(size=(200, 1))
    twice = np.hstack([number, number])
    gaps = twice.copy()
    gaps[::2, 1] = np.nan
    np.testing.assert_allclose(GaussianEM().fit_transform(gaps), twice, atol=0.02)


@pytest.fixture(scope="module")
def bent():
    """A table with a parabola and a level that tells its side, and hidden cells."""
    rng = np.random.default_rng(0)
    number = rng.uniform(-2, 2, size=400)
    side = np.where(number > 0, "right", "left")
    table = pd.DataFrame(
        {"x": number, "square": number**2, "side": pd.Categorical(side)}
    )
    # One gap a row at most: two would leave nothing to tell by.
    hidden = rng.integers(5, size=(400, 1)) == np.arange(3)
    return table, hidden


def coded(table):
    return table.assign(side=table["side"].cat.codes).to_numpy(float)


def test_forest_learns_curves_and_levels(bent):
    table, hidden = bent
    filled = MissForest(n_estimators=30, random_state=0).fit_transform(
        table.mask(hidden)
    )
    truth, answers = coded(table), coded(filled)
    numbers, levels = hidden & [True, True, False], hidden & [False, False, True]
    assert nrmse(truth, answers, numbers) < 0.2
    assert accuracy(truth, answers, levels) > 0.95
    pd.testing.assert_frame_equal(filled.mask(hidden), table.mask(hidden))


def test_forest_fills_new_rows_and_single_ones(bent):
    table, hidden = bent
    fitted = MissForest(n_estimators=30, random_state=0).fit(
        table[:300].mask(hidden[:300])
    )
    new = table[300:].mask(hidden[300:])
    filled = fitted.transform(new)
    numbers = hidden[300:] & [True, True, False]
    assert nrmse(coded(table[300:]), coded(filled), numbers) < 0.3
    pd.testing.assert_frame_equal(fitted.transform(new[:1]), filled[:1])


def test_forest_keeps_the_round_before_its_cells_move_more(bent):
    table, hidden = bent
    forest = MissForest(n_estimators=5, random_state=0, max_iter=10)
    fitted = forest.fit(table.mask(hidden))
    assert 1 <= fitted.n_rounds_ < 10


def test_forest_beats_the_mean_where_em_does_not(bent):
    table, hidden = bent
    numbers = table[["x", "square"]]
    gaps = numbers.mask(hidden[:, :2])
    errors = {}
    for imputer in (
        SimpleImputer(),
        GaussianEM(),
        MissForest(n_estimators=30, random_state=0),
    ):
        filled = np.asarray(imputer.fit_transform(gaps))
        found = nrmse(numbers, filled, hidden[:, :2] & [False, True])
        errors[type(imputer).__name__] = found
    # A filled x, whose sign the square does not tell, is noise to the square's forest.
    assert errors["MissForest"] < 0.5 * errors["SimpleImputer"]
    assert errors["GaussianEM"] == pytest.approx(errors["SimpleImputer"], rel=0.1)


def test_shares_of_trees_are_probabilities(bent):
    table, hidden = bent
    incomplete = table.mask(hidden)
    forest = MissForest(n_estimators=30, random_state=0).fit(incomplete)
    shares = forest.predict_proba(incomplete)["side"]
    assert list(shares) == ["left", "right"]
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    likeliest = shares.idxmax(axis=1)[hidden[:, 2]]
    filled = forest.transform(incomplete)["side"].astype(object)[hidden[:, 2]]
    assert (likeliest == filled).all()
