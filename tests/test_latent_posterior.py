"""Draws, densities and divergences of Gaussian posteriors against closed forms."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from vaeimpute import _numpy_ops
from vaeimpute._latent_posterior import (
    Posterior,
    draw_latent,
    kl_between,
    kl_to_prior,
    latent_log_density,
    whiten_latent,
)

N_ROWS, N_LATENT = 24, 3


def make_posterior(seed):
    """Return a posterior of random means, scales and precisions I + W' W."""
    rng = np.random.default_rng(seed)
    mean, fill, log_scale = 0.5 * rng.standard_normal((3, N_ROWS, N_LATENT))
    loadings = rng.standard_normal((N_ROWS, 4, N_LATENT))
    precision = np.eye(N_LATENT) + loadings.transpose(0, 2, 1) @ loadings
    factor = np.linalg.cholesky(precision)
    matrices = precision, factor, np.linalg.inv(factor), np.linalg.inv(precision)
    arrays = (mean, fill, log_scale, *matrices)
    return Posterior(*(array.astype(np.float32) for array in arrays))


def double(posterior):
    return Posterior(*(np.asarray(array, float) for array in posterior))


def covariances(posterior):
    """Return D A^-1 D of each row by general linear algebra."""
    scale = np.exp(posterior.log_scale)
    inverse = np.linalg.inv(posterior.precision)
    return scale[:, :, None] * inverse * scale[:, None, :]


def gaussian_kl(mean, covariance, other_mean, other_covariance):
    """Return KL(N(mean, covariance) || N(other_mean, other_covariance))."""
    inverse, gap = np.linalg.inv(other_covariance), other_mean - mean
    determinants = np.linalg.slogdet(other_covariance)[1]
    determinants -= np.linalg.slogdet(covariance)[1]
    trace = np.trace(inverse @ covariance)
    return 0.5 * (trace + gap @ inverse @ gap - len(mean) + determinants)


@pytest.fixture
def posterior():
    return make_posterior(0)


@pytest.fixture
def other():
    return make_posterior(1)


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    if request.param == "numpy":
        return _numpy_ops
    import keras

    return keras.ops


def test_draws_have_the_posterior_covariance(posterior, ops):
    columns = []
    for direction in np.eye(N_LATENT, dtype=np.float32):
        noise = np.tile(direction, (N_ROWS, 1))
        columns.append(np.asarray(draw_latent(ops, posterior, noise)))
    posterior = double(posterior)

    spread = np.stack(columns, axis=2) - posterior.mean[:, :, None]

    np.testing.assert_allclose(
        spread @ spread.transpose(0, 2, 1), covariances(posterior), rtol=1e-3, atol=1e-4
    )


def test_whitening_a_draw_gives_back_its_noise(posterior, ops):
    noise = np.random.default_rng(4).standard_normal((N_ROWS, N_LATENT), np.float32)
    latent = draw_latent(ops, posterior, noise)
    np.testing.assert_allclose(
        whiten_latent(ops, posterior, latent), noise, rtol=1e-3, atol=1e-3
    )


def test_density_of_a_draw_is_scipys(posterior):
    posterior = double(posterior)
    noise = np.random.default_rng(4).normal(size=(N_ROWS, N_LATENT))

    found = latent_log_density(_numpy_ops, posterior, noise)

    draws = draw_latent(_numpy_ops, posterior, noise)
    for i, covariance in enumerate(covariances(posterior)):
        normal = multivariate_normal(posterior.mean[i], covariance)
        assert found[i] == pytest.approx(normal.logpdf(draws[i]), abs=1e-4)


def test_divergences_are_the_closed_forms(posterior, other, ops):
    to_prior = np.asarray(kl_to_prior(ops, posterior))
    between = np.asarray(kl_between(ops, posterior, other))

    first, second = double(posterior), double(other)
    spreads = zip(covariances(first), covariances(second), strict=True)
    for i, (spread, its_spread) in enumerate(spreads):
        expected = gaussian_kl(first.mean[i], spread, np.zeros(3), np.eye(3))
        assert to_prior[i] == pytest.approx(expected, rel=1e-4, abs=1e-4)
        expected = gaussian_kl(first.mean[i], spread, second.mean[i], its_spread)
        assert between[i] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_divergences_agree_with_draws(posterior, other):
    first, second = (double(x).rows(slice(0, 4)) for x in (posterior, other))
    rng = np.random.default_rng(5)
    to_prior, between = [], []
    for _ in range(20_000):
        noise = rng.standard_normal((4, N_LATENT))
        latent = draw_latent(_numpy_ops, first, noise)
        density = latent_log_density(_numpy_ops, first, noise)
        prior = norm.logpdf(latent).sum(axis=1)
        # The noise with which the second posterior would have made this draw.
        gap = (latent - second.mean) * np.exp(-second.log_scale)
        its_noise = np.einsum("nji,nj->ni", second.factor, gap)
        to_prior.append(density - prior)
        between.append(density - latent_log_density(_numpy_ops, second, its_noise))

    for draws, exact in [
        (to_prior, kl_to_prior(_numpy_ops, first)),
        (between, kl_between(_numpy_ops, first, second)),
    ]:
        error = np.std(draws, axis=0) / np.sqrt(len(draws))
        np.testing.assert_array_less(np.abs(np.mean(draws, axis=0) - exact), 4 * error)


def test_a_posterior_is_no_distance_from_itself(posterior, ops):
    distance = np.asarray(kl_between(ops, posterior, posterior))
    np.testing.assert_allclose(distance, 0.0, atol=1e-5)


def test_posterior_of_some_rows(posterior):
    some = posterior.rows(slice(3, 7))
    assert isinstance(some, Posterior)
    for part, whole in zip(some, posterior, strict=True):
        np.testing.assert_array_equal(part, whole[3:7])
