"""Answers that are known in closed form, and a distribution that is known."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from vaeimpute import VAEImputer
from vaeimpute._conditional import FittedVAE
from vaeimpute._encoding import Layout, Rows
from vaeimpute._engine import Engine
from vaeimpute._vae import Architecture

NO_FLOOR = -np.inf


def numeric_layout(architecture):
    n_numeric = architecture.n_numeric
    edges = np.tile(np.arange(architecture.n_bins + 1.0), (n_numeric, 1))
    none = np.zeros(0, np.float32)
    nothing = np.zeros((0, 0), np.float32)
    return Layout(
        edges=edges.astype(np.float32),
        log_share=none,
        contrast=nothing,
        level_column=none.astype(np.int32),
        level_code=none,
        membership=nothing,
        score_membership=nothing,
    )


def linear_gaussian(n_columns, n_latent, noise, *, seed=0):
    """Return a model without networks and its mean and covariance."""
    generator = np.random.default_rng(seed)
    architecture = Architecture(n_columns, 0, 0, 0, n_latent, ())
    loadings = generator.standard_normal((n_columns, n_latent)).astype(np.float32)
    loadings /= np.sqrt(n_latent)
    mean = generator.standard_normal(n_columns).astype(np.float32)
    log_noise = np.full(n_columns, np.log(noise), np.float32)
    weights = {
        "core.mean": mean,
        "core.loadings": loadings,
        "core.log_noise": log_noise,
        "decoder.log_noise": log_noise,
    }
    model = FittedVAE(architecture, weights, numeric_layout(architecture))
    exact = loadings.astype(float)
    covariance = exact @ exact.T + np.diag(np.exp(log_noise.astype(float)))
    return model, mean.astype(float), covariance


def incomplete_rows(mean, covariance, n_rows=100, *, rate=0.4, seed=1):
    generator = np.random.default_rng(seed)
    values = generator.multivariate_normal(mean, covariance, n_rows)
    observed = generator.random(values.shape) >= rate
    observed[0] = False
    observed[1] = True
    values = np.where(observed, values, 0.0).astype(np.float32)
    return Rows(values, observed)


def conditional_mean(row, observed, mean, covariance):
    if not observed.any():
        return mean
    cross = covariance[:, observed]
    known = covariance[np.ix_(observed, observed)]
    gap = row[observed].astype(float) - mean[observed]
    return mean + cross @ np.linalg.solve(known, gap)


def conditional_means(rows, mean, covariance):
    return np.array(
        [
            conditional_mean(row, observed, mean, covariance)
            for row, observed in zip(rows.values, rows.observed, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("n_columns", "n_latent", "noise"),
    [(6, 2, 0.3), (20, 8, 0.05), (100, 16, 0.01), (100, 64, 0.01)],
)
def test_fillings_without_networks_are_gaussian_conditional_means(
    n_columns, n_latent, noise
):
    model, mean, covariance = linear_gaussian(n_columns, n_latent, noise)
    rows = incomplete_rows(mean, covariance)

    # What is decoded is W z + b; for a missing cell that is E[x | observed].
    filled = model.fill(rows).numbers

    expected = conditional_means(rows, mean, covariance)
    spread = np.sqrt(np.diag(covariance))
    missing = ~rows.observed
    error = np.abs(filled - expected) / spread
    assert error[missing].max() < 1e-4


@pytest.mark.parametrize(
    ("n_columns", "n_latent", "noise"), [(20, 8, 0.05), (100, 16, 0.01)]
)
def test_compiled_answers_without_networks_are_conditional_means_too(
    n_columns, n_latent, noise
):
    model, mean, covariance = linear_gaussian(n_columns, n_latent, noise)
    rows = incomplete_rows(mean, covariance)
    engine = Engine(model.architecture)
    flat = engine.initial_state(model.weights).weights
    layout, placed = engine.place(model.layout), engine.place(rows)

    filled, _ = engine.answer(flat, layout, placed)

    expected = conditional_means(rows, mean, covariance)
    error = np.abs(filled - expected) / np.sqrt(np.diag(covariance))
    assert error[~rows.observed].max() < 1e-4


@pytest.mark.parametrize(
    ("n_columns", "n_latent", "noise"),
    [(6, 2, 0.3), (100, 16, 0.01), (100, 64, 0.01)],
)
def test_log_density_without_networks_is_the_gaussian_one(n_columns, n_latent, noise):
    model, mean, covariance = linear_gaussian(n_columns, n_latent, noise)
    rows = incomplete_rows(mean, covariance, 20)

    density = model.log_density(rows, np.full(n_columns, NO_FLOOR))

    for row, observed, found in zip(rows.values, rows.observed, density, strict=True):
        expected = 0.0
        if observed.any():
            part = covariance[np.ix_(observed, observed)]
            normal = multivariate_normal(mean[observed], part)
            expected = normal.logpdf(row[observed].astype(float))
        assert found == pytest.approx(expected, abs=1e-3)


@pytest.fixture(scope="module")
def one_factor_table():
    """Return 5,000 rows of one factor with loading .8 and 30 % missing cells."""
    generator = np.random.default_rng(0)
    factor = generator.standard_normal((5_000, 1))
    complete = 0.8 * factor + 0.6 * generator.standard_normal((5_000, 6))
    holed = np.where(generator.random(complete.shape) < 0.3, np.nan, complete)
    return complete, holed


def correlations(table):
    table = np.corrcoef(table, rowvar=False)
    return table[~np.eye(len(table), dtype=bool)]


@pytest.mark.slow
@pytest.mark.parametrize("early_stopping", [True, False])
def test_drawn_rows_have_the_joint_distribution_of_the_table(
    one_factor_table, early_stopping
):
    # Without early stopping the networks stay, although the core would do: they
    # too must leave the distribution right, not only the conditional means.
    _, holed = one_factor_table
    imputer = VAEImputer(
        n_components=1 if early_stopping else "auto",
        early_stopping=early_stopping,
        max_iter="auto" if early_stopping else 60,
        random_state=0,
    ).fit(holed)

    drawn = imputer.sample(50_000, random_state=0)

    assert np.mean(correlations(drawn)) == pytest.approx(0.64, abs=0.02)
    assert drawn.var(axis=0) == pytest.approx(np.ones(6), abs=0.08)


def test_imputer_without_networks_fills_by_its_own_gaussian(one_factor_table):
    _, holed = one_factor_table
    table = 10.0 + 3.0 * holed[:500]
    imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(table)
    weights, numbers = imputer._model.weights, imputer._encoding.numbers
    scale = np.array([column.scale for column in numbers])
    loadings = weights["core.loadings"].astype(float)
    covariance = loadings @ loadings.T + np.diag(np.exp(weights["core.log_noise"]))
    covariance *= np.outer(scale, scale)
    centre = np.array([column.centre for column in numbers])
    mean = centre + scale * weights["core.mean"]

    filled = imputer.transform(table)
    density = imputer.score_samples(table)

    observed = ~np.isnan(table)
    for row, known, done, found in zip(table, observed, filled, density, strict=True):
        if not known.any():
            continue
        expected = conditional_mean(np.nan_to_num(row), known, mean, covariance)
        assert done[~known] == pytest.approx(expected[~known], abs=3e-4)
        normal = multivariate_normal(mean[known], covariance[np.ix_(known, known)])
        assert found == pytest.approx(normal.logpdf(row[known]), abs=1e-3)


def test_error_of_a_fitted_core_is_that_of_the_true_distribution(one_factor_table):
    complete, holed = one_factor_table
    imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(holed)
    table = complete.copy()
    table[:, 0] = np.nan

    error = imputer.transform(table)[:, 0] - complete[:, 0]

    # E[x0 | five others] under the distribution that drew the table
    best = 0.64 * complete[:, 1:].sum(axis=1) / (0.36 + 5 * 0.64) - complete[:, 0]
    assert np.mean(error**2) == pytest.approx(np.mean(best**2), rel=0.01)
