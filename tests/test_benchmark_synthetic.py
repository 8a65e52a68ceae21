"""The generators' truth, against regressions, integrals and other imputers."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression

from benchmarks.synthetic import NormalMixture, gaussian_factor, gaussian_mixture

GENERATORS = [gaussian_factor, gaussian_mixture]


def with_gaps(table, rate=0.3, seed=0):
    return table.mask(np.random.default_rng(seed).random(table.shape) < rate)


def rmse(filled, table, gaps):
    hidden = gaps.isna().to_numpy()
    errors = filled.to_numpy() - table.to_numpy()
    return np.sqrt((errors[hidden] ** 2).mean())


def test_factor_conditional_is_the_regression_of_a_large_sample():
    table, truth = gaussian_factor(200_000, n_columns=5, rank=2, random_state=1)
    values = table.to_numpy()
    observed = np.array([True, False, True, True, False])

    regression = LinearRegression().fit(values[:, observed], values[:, ~observed])
    residuals = values[:, ~observed] - regression.predict(values[:, observed])
    rows = values[:200]
    mean, covariance = truth.conditional(rows, np.broadcast_to(observed, rows.shape))

    predicted = regression.predict(rows[:, observed])
    assert_allclose(mean[:, ~observed], predicted, atol=0.02)
    np.testing.assert_array_equal(mean[:, observed], rows[:, observed])
    hidden = np.ix_(~observed, ~observed)
    assert_allclose(covariance[0][hidden], np.cov(residuals.T), atol=0.01)
    assert (covariance[:, observed] == 0).all()


@pytest.mark.parametrize("known", [-2.0, 0.1, 1.5])
def test_mixture_conditional_is_the_integral_over_the_hidden_cells(known):
    _, truth = gaussian_mixture(1, n_columns=3, n_components=3, rank=1, noise=0.3)
    grid = np.linspace(-8, 8, 801)
    cells = np.stack(np.meshgrid([known], grid, grid, indexing="ij"), axis=-1)
    cells = cells.reshape(-1, 3)
    density = sum(
        weight * multivariate_normal(mean, covariance).pdf(cells)
        for weight, mean, covariance in zip(
            truth.weights, truth.means, truth.covariances, strict=True
        )
    )

    row, observed = (
        np.array([[known, np.nan, np.nan]]),
        np.array([[True, False, False]]),
    )
    mean, covariance = truth.conditional(row, observed)
    assert_allclose(mean[0], np.average(cells, axis=0, weights=density), atol=1e-8)
    expected = np.cov(cells.T, aweights=density, ddof=0)
    assert_allclose(covariance[0], expected, atol=1e-8)


@pytest.mark.parametrize("generate", GENERATORS)
def test_columns_are_standardised_and_the_table_follows_the_truth(generate):
    table, truth = generate(200_000, n_columns=4, rank=2)

    assert_allclose(truth.mean, 0, atol=1e-12)
    assert_allclose(truth.covariance.diagonal(), 1)
    assert_allclose(table.mean(), truth.mean, atol=0.02)
    assert_allclose(np.cov(table.T), truth.covariance, atol=0.02)


@pytest.mark.parametrize("generate", GENERATORS)
def test_rows_without_observed_or_hidden_cells(generate):
    table, truth = generate(2, n_columns=4)
    observed = np.array([[True] * 4, [False] * 4])

    mean, covariance = truth.conditional(table.to_numpy(), observed)
    assert_allclose(mean, [table.iloc[0], truth.mean])
    assert_allclose(covariance, [np.zeros((4, 4)), truth.covariance])


def test_equal_components_are_one():
    _, one = gaussian_factor(1, n_columns=5)
    three = NormalMixture(
        np.array([0.2, 0.3, 0.5]),
        one.means.repeat(3, axis=0),
        one.covariances.repeat(3, axis=0),
    )
    values = np.random.default_rng(0).normal(size=(40, 5))
    observed = np.random.default_rng(1).random((40, 5)) < 0.6

    for found, expected in zip(
        three.conditional(values, observed),
        one.conditional(values, observed),
        strict=True,
    ):
        assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("generate", GENERATORS)
def test_truth_beats_other_imputers_and_errs_as_it_says(generate):
    table, truth = generate(3_000)
    gaps = with_gaps(table)

    reached = rmse(truth.fill(gaps), table, gaps)
    assert reached == pytest.approx(truth.smallest_rmse(gaps), rel=0.03)
    for imputer in (SimpleImputer(), KNNImputer(n_neighbors=10)):
        other = imputer.set_output(transform="pandas").fit_transform(gaps)
        assert reached < 0.95 * rmse(other, table, gaps)


def test_best_linear_imputation_is_best_for_factors_only():
    for generate, least_gain, most_gain in [
        (gaussian_factor, 0.0, 1e-12),
        (gaussian_mixture, 0.05, 1.0),
    ]:
        table, truth = generate(3_000)
        linear = NormalMixture(np.ones(1), truth.mean[None], truth.covariance[None])
        gaps = with_gaps(table)

        reached, other = (rmse(of.fill(gaps), table, gaps) for of in (truth, linear))
        assert least_gain <= (other - reached) / other + 1e-15 <= most_gain


@pytest.mark.parametrize("generate", GENERATORS)
def test_fill_keeps_observed_cells_labels_and_its_input(generate):
    table, truth = generate(50)
    gaps = with_gaps(table).set_axis(range(100, 150)).rename(columns={"x0": "first"})
    before = gaps.copy()

    filled = truth.fill(gaps)
    pd.testing.assert_frame_equal(gaps, before)
    pd.testing.assert_frame_equal(filled.where(gaps.notna()), gaps)
    assert filled.notna().all(axis=None)


@pytest.mark.parametrize("generate", GENERATORS)
def test_the_same_seed_gives_the_same_table(generate):
    table, _ = generate(20, random_state=3)

    pd.testing.assert_frame_equal(table, generate(20, random_state=3)[0])
    assert not np.allclose(table, generate(20, random_state=4)[0])


@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_noise_is_a_share(noise):
    with pytest.raises(ValueError, match=f"noise: got {noise}"):
        gaussian_factor(noise=noise)
