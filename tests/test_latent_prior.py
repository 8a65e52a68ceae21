"""The mixture that the latents of rows are taken to follow after training."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from vaeimpute import VAEImputer
from vaeimpute._latent_prior import LatentPrior


@pytest.fixture
def clusters():
    """Three clusters of 300 points, of one covariance, on a line."""
    rng = np.random.default_rng(0)
    spread = np.linalg.cholesky([[0.5, 0.3], [0.3, 0.4]])
    centres = np.array([[-6.0, -3.0], [0.0, 0.0], [6.0, 3.0]])
    return np.repeat(centres, 300, axis=0) + rng.normal(size=(900, 2)) @ spread.T


@pytest.mark.parametrize("n_rows", [5, 19])
def test_few_rows_get_one_gaussian(n_rows):
    latents = np.random.default_rng(0).normal(size=(n_rows, 3))
    prior = LatentPrior.fit(latents, n_rows)
    covariance = np.cov(latents.T, bias=True) + 1e-6 * np.eye(3)
    expected = multivariate_normal(latents.mean(axis=0), covariance)
    np.testing.assert_allclose(prior.log_density(latents), expected.logpdf(latents))


def test_the_density_is_that_of_the_mixture(clusters):
    prior = LatentPrior.fit(clusters, 30)  # three components
    assert len(prior.centres) == 3
    covariance = prior.factor @ prior.factor.T
    parts = [
        np.exp(share) * multivariate_normal(centre, covariance).pdf(clusters)
        for share, centre in zip(prior.log_shares, prior.centres, strict=True)
    ]
    np.testing.assert_allclose(prior.log_density(clusters), np.log(sum(parts)))
    np.testing.assert_allclose(covariance, [[0.5, 0.3], [0.3, 0.4]], atol=0.06)
    np.testing.assert_allclose(np.exp(prior.log_shares), 1 / 3, atol=0.01)


@pytest.mark.parametrize("n_rows", [10, 60, 900])
def test_its_moments_are_those_of_the_latents(clusters, n_rows):
    prior = LatentPrior.fit(clusters, n_rows)
    shares = np.exp(prior.log_shares)
    mean = shares @ prior.centres
    away = prior.centres - mean
    covariance = prior.factor @ prior.factor.T + (away * shares[:, None]).T @ away
    np.testing.assert_allclose(shares.sum(), 1.0)
    np.testing.assert_allclose(mean, clusters.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(covariance, np.cov(clusters.T, bias=True), atol=1e-5)


def test_more_components_fit_clusters_better(clusters):
    one, three = (LatentPrior.fit(clusters, n).log_density(clusters) for n in (10, 30))
    assert three.mean() > one.mean() + 0.5


def test_overlapping_clusters_are_told_apart_as_by_a_mixture():
    rng = np.random.default_rng(0)
    shares, centres = [0.7, 0.2, 0.1], np.array([[0.0, 0.0], [2.0, 1.0], [0.0, 3.0]])
    latents = centres[rng.choice(3, size=2_000, p=shares)]
    latents = latents + rng.normal(size=latents.shape)

    mixture = GaussianMixture(3, covariance_type="tied", means_init=centres)
    likeliest = mixture.fit(latents).score(latents)
    assert LatentPrior.fit(latents, 30).log_density(latents).mean() > likeliest - 0.002


def test_a_component_that_holds_nothing_takes_nothing(clusters):
    share = np.zeros((900, 2))
    share[:, 0] = 1.0
    moment = clusters.T @ clusters / 900
    density = LatentPrior._of_shares(clusters, share, moment).log_density(clusters)
    np.testing.assert_allclose(
        density, LatentPrior.fit(clusters, 10).log_density(clusters)
    )


def test_there_are_a_hundred_components_at_most():
    latents = np.random.default_rng(0).normal(size=(1_100, 2))
    assert len(LatentPrior.fit(latents, 900).centres) == 90
    assert len(LatentPrior.fit(latents, 1_100).centres) == 100


def test_draws_have_its_moments(clusters):
    prior = LatentPrior.fit(clusters, 30)
    drawn = prior.sample(20_000, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(axis=0), clusters.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(clusters.T), rtol=0.05)


def test_latents_that_never_vary_have_a_density():
    latents = np.column_stack([np.random.default_rng(0).normal(size=100), np.ones(100)])
    assert np.isfinite(LatentPrior.fit(latents, 100).log_density(latents)).all()


def test_rows_are_drawn_where_rows_are():
    """A ring has nothing in its middle, where N(0, I) has most of its mass."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, size=500)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    ring += 0.05 * rng.normal(size=ring.shape)
    imputer = VAEImputer(
        2,
        hidden_layer_sizes=(64, 64),
        n_networks=1,
        max_iter=100,
        learning_rate_init=3e-3,
        early_stopping=False,
        random_state=0,
    ).fit(ring)

    def share_on_ring():
        radius = np.linalg.norm(imputer.sample(2_000, random_state=0), axis=1)
        return np.mean(np.abs(radius - 1) < 0.3)

    on_ring, score = share_on_ring(), imputer.score(ring)
    imputer._model = replace(imputer._model, priors=())
    assert on_ring > share_on_ring() + 0.04
    assert score > imputer.score(ring) + 0.05


def test_components_are_chosen_by_their_shares():
    prior = LatentPrior(
        np.log([0.2, 0.5, 0.3]), np.array([[0.0], [1.0], [2.0]]), np.eye(1)
    )
    uniform = np.array([0.0, 0.19, 0.21, 0.69, 0.71, 0.999])
    placed = prior.place(np.zeros((6, 1)), uniform)
    np.testing.assert_array_equal(placed[:, 0], [0, 0, 1, 1, 2, 2])


def test_standard_prior_is_the_standard_normal():
    prior, rng = LatentPrior.standard(3), np.random.default_rng(0)
    noise = rng.standard_normal((50, 3))
    np.testing.assert_array_equal(prior.place(noise, rng.random(50)), noise)
    expected = -0.5 * (np.sum(noise**2, axis=1) + 3 * np.log(2 * np.pi))
    np.testing.assert_allclose(prior.log_density(noise), expected)
