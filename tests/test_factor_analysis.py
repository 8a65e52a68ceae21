"""Factor analysis of complete and incomplete tables against closed forms."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.decomposition import FactorAnalysis as CompleteFactorAnalysis

from vaeimpute import _factor_analysis
from vaeimpute._factor_analysis import (
    FactorAnalysis,
    fit_factor_analysis,
    refit_to_drawn_rows,
)


def covariance(model):
    return model.loadings @ model.loadings.T + np.diag(model.noise)


def log_likelihood(model, values, observed):
    """Return the log-density of each row's observed cells, row by row."""
    density = np.zeros(len(values))
    for i, at in enumerate(observed):
        if at.any():
            part = covariance(model)[np.ix_(at, at)]
            density[i] = multivariate_normal.logpdf(
                values[i, at], model.mean[at], part, allow_singular=True
            )
    return density


def draw(loadings, noise, n_rows, rng, missing=0.0):
    """Return rows of a factor model with mean 1, and which cells are observed."""
    latent = rng.normal(size=(n_rows, loadings.shape[1]))
    values = 1.0 + latent @ loadings.T
    values += np.sqrt(noise) * rng.normal(size=values.shape)
    return values, rng.random(values.shape) >= missing


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def model(rng):
    return FactorAnalysis(
        rng.normal(size=5), rng.normal(size=(5, 2)), rng.uniform(0.2, 1, size=5)
    )


def test_complete_table_agrees_with_scikit_learn(rng):
    loadings = rng.normal(size=(6, 2)) * 0.7
    values, observed = draw(loadings, 0.5, 400, rng)
    ours = fit_factor_analysis(
        values,
        observed,
        2,
        prior_rows=0.0,
        shrink_loadings=False,
        max_iter=2_000,
        tol=1e-7,
    )
    theirs = CompleteFactorAnalysis(
        2, tol=1e-10, max_iter=20_000, svd_method="lapack"
    ).fit(values)

    np.testing.assert_allclose(ours.mean, theirs.mean_, atol=1e-6)
    np.testing.assert_allclose(covariance(ours), theirs.get_covariance(), atol=1e-4)
    np.testing.assert_allclose(
        log_likelihood(ours, values, observed), theirs.score_samples(values), atol=1e-3
    )


def test_equal_noise_of_a_complete_table_agrees_with_principal_components(rng):
    values, observed = draw(rng.normal(size=(6, 2)), 0.5, 400, rng)
    ours = fit_factor_analysis(
        values,
        observed,
        2,
        prior_rows=0.0,
        shrink_loadings=False,
        max_iter=2_000,
        tol=1e-8,
        equal_noise=True,
    )
    theirs = PCA(2).fit(values)

    biased = 399 / 400  # scikit-learn divides by the rows less one
    np.testing.assert_allclose(ours.mean, theirs.mean_, atol=1e-6)
    np.testing.assert_allclose(ours.noise, biased * theirs.noise_variance_, rtol=1e-5)
    np.testing.assert_allclose(
        covariance(ours), biased * theirs.get_covariance(), atol=1e-4
    )


def test_prior_shrinks_equal_noise_models_and_turns_no_component(rng):
    values, observed = draw(rng.normal(size=(6, 2)), 0.5, 400, rng)
    values /= values.std(axis=0)
    ours = fit_factor_analysis(values, observed, 2, prior_rows=2.0, equal_noise=True)
    theirs = PCA(2).fit(values)

    assert np.max(subspace_angles(ours.loadings, theirs.components_.T)) < 1e-3
    # Two rows beside 400, of a noise that is all of the variance.
    expected = (400 * theirs.noise_variance_ + 2) / 402
    np.testing.assert_allclose(ours.noise, expected, rtol=0.02)
    assert np.all(ours.noise > theirs.noise_variance_)


def test_equal_noise_of_an_incomplete_table_gives_back_the_known_covariance(rng):
    loadings = rng.normal(size=(6, 2))
    values, observed = draw(loadings, 0.5, 20_000, rng, missing=0.3)

    fitted = fit_factor_analysis(values, observed, 2, equal_noise=True)

    assert len(set(fitted.noise)) == 1
    assert fitted.noise[0] == pytest.approx(0.5, abs=0.02)
    assert np.max(subspace_angles(fitted.loadings, loadings)) < 0.03
    known = loadings @ loadings.T + 0.5 * np.eye(6)
    np.testing.assert_allclose(covariance(fitted), known, atol=0.1)


def test_incomplete_table_gives_back_the_known_covariance(rng):
    loadings = np.full((6, 1), 0.8)
    values, observed = draw(loadings, 0.36, 20_000, rng, missing=0.3)

    fitted = fit_factor_analysis(values, observed, 1)

    known = loadings @ loadings.T + 0.36 * np.eye(6)
    np.testing.assert_allclose(covariance(fitted), known, atol=0.04)
    np.testing.assert_allclose(fitted.mean, 1.0, atol=0.04)


def test_cells_missing_because_of_an_observed_one_do_not_bias(rng):
    # Rows with a high first value lose the second: its observed mean is too low.
    values, observed = draw(np.full((4, 1), 0.9), 0.19, 5_000, rng)
    observed[values[:, 0] > 1.0, 1] = False
    assert np.mean(values[observed[:, 1], 1]) < 0.5

    fitted = fit_factor_analysis(values, observed, 1, max_iter=200, tol=1e-5)

    assert fitted.mean[1] == pytest.approx(1.0, abs=0.05)
    assert covariance(fitted)[1, 1] == pytest.approx(1.0, abs=0.06)


def test_refitted_models_scatter_as_estimates_do(rng, model):
    """Means of complete rows: variance of a column over the number of rows."""
    observed = np.ones((400, 5), bool)
    refitted = [refit_to_drawn_rows(model, observed, rng) for _ in range(300)]
    means = np.array([other.mean for other in refitted])
    expected = np.sqrt(np.diag(covariance(model)) / 400)
    np.testing.assert_allclose(means.std(axis=0), expected, rtol=0.15)
    np.testing.assert_allclose(means.mean(axis=0), model.mean, atol=4 * expected.max())
    for other in refitted:
        # No factor turns or changes its sign.
        cosines = np.sum(other.loadings * model.loadings, axis=0)
        cosines /= np.linalg.norm(other.loadings, axis=0)
        assert np.all(cosines / np.linalg.norm(model.loadings, axis=0) > 0.7)


def test_prediction_is_the_conditional_mean(rng, model):
    values = rng.normal(size=(20, 5))
    observed = rng.random(values.shape) < 0.6
    observed[0] = False

    predicted = model.predict(values, observed)

    shared = model.loadings @ model.loadings.T
    for row, at, ours in zip(values, observed, predicted, strict=True):
        part = covariance(model)[np.ix_(at, at)]
        weights = np.linalg.solve(part, (row - model.mean)[at])
        np.testing.assert_allclose(ours, model.mean + shared[:, at] @ weights)


def test_posterior_is_the_conditional_of_the_joint_gaussian(rng, model):
    values = rng.normal(size=(10, 5))
    observed = rng.random(values.shape) < 0.6

    means, covariances = model.posterior(values, observed)

    for row, at, ours, spread in zip(values, observed, means, covariances, strict=True):
        loadings = model.loadings[at]
        gain = np.linalg.solve(covariance(model)[np.ix_(at, at)], loadings).T
        np.testing.assert_allclose(ours, gain @ (row - model.mean)[at], atol=1e-12)
        np.testing.assert_allclose(spread, np.eye(2) - gain @ loadings, atol=1e-12)


@pytest.mark.parametrize("content", [np.nan, 1e9, -np.inf])
def test_contents_of_unobserved_cells_change_nothing(rng, content):
    values, observed = draw(rng.normal(size=(5, 2)), 0.5, 60, rng, missing=0.3)
    other = np.where(observed, values, content)

    first, second = (fit_factor_analysis(x, observed, 2) for x in (values, other))

    for name in ("mean", "loadings", "noise"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    np.testing.assert_array_equal(
        first.predict(values, observed), first.predict(other, observed)
    )


def test_start_is_gone_on_from(rng):
    values, observed = draw(rng.normal(size=(6, 2)), 0.5, 200, rng, missing=0.3)
    settings = {"tol": 0.0, "shrink_loadings": False}
    halfway = fit_factor_analysis(values, observed, 2, max_iter=4, **settings)

    onwards = fit_factor_analysis(
        values, observed, 2, max_iter=6, start=halfway, **settings
    )

    at_once = fit_factor_analysis(values, observed, 2, max_iter=10, **settings)
    np.testing.assert_array_equal(onwards.loadings, at_once.loadings)


@pytest.mark.parametrize("equal_noise", [False, True])
def test_likelihood_never_falls(rng, equal_noise):
    values, observed = draw(rng.normal(size=(6, 2)), 0.5, 120, rng, missing=0.3)
    totals = []
    for n_steps in range(25):
        fitted = fit_factor_analysis(
            values,
            observed,
            2,
            prior_rows=0.0,
            shrink_loadings=False,
            max_iter=n_steps,
            tol=0.0,
            equal_noise=equal_noise,
        )
        totals.append(log_likelihood(fitted, values, observed).sum())

    assert np.min(np.diff(totals)) > -1e-6
    assert totals[-1] > totals[0] + 1.0


def test_learned_prior_prunes_factors_that_there_are_not(rng):
    sizes = np.zeros(2)
    for _ in range(4):
        values, observed = draw(np.zeros((20, 1)), 1.0, 60, rng)
        for k, shrinks in enumerate((False, True)):
            fitted = fit_factor_analysis(
                values, observed, 8, shrink_loadings=shrinks, max_iter=300
            )
            sizes[k] += np.sum(fitted.loadings**2)
    assert sizes[1] < 0.4 * sizes[0]


def test_learned_prior_leaves_clear_factors_as_they_are(rng):
    values, observed = draw(rng.normal(size=(8, 2)), 0.3, 2_000, rng, missing=0.3)
    free, shrunk = (
        fit_factor_analysis(values, observed, 2, shrink_loadings=shrinks, max_iter=300)
        for shrinks in (False, True)
    )
    np.testing.assert_allclose(covariance(shrunk), covariance(free), atol=0.01)


def test_factors_beyond_those_of_the_table_do_little_harm(rng):
    """Of 8 factors fitted to rows of 2, the prior leaves what 2 predict."""
    loadings = rng.normal(size=(12, 2))
    values, observed = draw(loadings, 1.0, 80, rng, missing=0.3)
    known = FactorAnalysis(np.ones(12), loadings, np.ones(12))
    best = known.predict(values, observed)

    def excess(rank, **settings):
        fitted = fit_factor_analysis(values, observed, rank, max_iter=300, **settings)
        return np.mean((fitted.predict(values, observed) - best)[~observed] ** 2)

    assert excess(8) < 1.4 * excess(2)
    assert excess(8, shrink_loadings=False) > 2 * excess(2)


@pytest.mark.parametrize("equal_noise", [False, True])
def test_noise_keeps_its_floor(rng, equal_noise):
    loadings = rng.normal(size=(5, 1))
    values, observed = draw(loadings, 1e-8, 100, rng)
    fitted = fit_factor_analysis(
        values,
        observed,
        1,
        noise_floor=0.02,
        prior_rows=0.0,
        shrink_loadings=False,
        equal_noise=equal_noise,
    )
    assert fitted.noise.min() == 0.02


@pytest.mark.parametrize("block_numbers", [1, 100])
def test_blocks_of_rows_change_nothing(rng, monkeypatch, block_numbers):
    values, observed = draw(rng.normal(size=(5, 2)), 0.5, 60, rng, missing=0.3)
    whole = fit_factor_analysis(values, observed, 2, max_iter=5)
    predicted = whole.predict(values, observed)

    monkeypatch.setattr(_factor_analysis, "_BLOCK_LATENTS", block_numbers)
    blockwise = fit_factor_analysis(values, observed, 2, max_iter=5)

    np.testing.assert_allclose(covariance(whole), covariance(blockwise), rtol=1e-9)
    np.testing.assert_allclose(
        predicted, whole.predict(values, observed), rtol=1e-9, atol=1e-12
    )


def degenerate_tables():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(30, 4))
    constant = table.copy()
    constant[:, 1] = 0.0
    collinear = np.column_stack([table, 2 * table[:, 0], table @ np.ones(4)])
    return {
        "rank of all values": (table, 4),
        "one row": (table[:1], 2),
        "one value": (table[:, :1], 1),
        "constant column": (constant, 2),
        "constant table": (np.zeros((30, 4)), 2),
        "collinear columns": (collinear, 3),
        "more values than rows": (table[:3], 4),
    }


@pytest.mark.parametrize("equal_noise", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.4])
@pytest.mark.parametrize("name", degenerate_tables())
def test_degenerate_tables_stay_finite(rng, name, missing, equal_noise):
    values, rank = degenerate_tables()[name]
    observed = rng.random(values.shape) >= missing

    fitted = fit_factor_analysis(values, observed, rank, equal_noise=equal_noise)

    assert fitted.rank == rank
    for array in (fitted.mean, fitted.loadings, np.log(fitted.noise)):
        assert np.all(np.isfinite(array))
    assert np.all(np.isfinite(fitted.predict(values, observed)))


def test_value_without_an_observed_cell_stays_finite(rng):
    values, observed = draw(rng.normal(size=(4, 1)), 0.5, 50, rng)
    observed[:, 2] = False
    fitted = fit_factor_analysis(values, observed, 2)
    assert np.all(np.isfinite(covariance(fitted)))
    assert np.all(np.isfinite(fitted.predict(values, observed)))
