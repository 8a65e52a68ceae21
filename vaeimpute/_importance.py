"""Latents of rows, weighed by how well they explain what is observed.

The posterior of a fitted model is close to its encoder's, not equal. Draws of the
encoder's, weighed by importance, stand for it: they give densities, joint draws and
predictive distributions. All draws of all rows of a block are decoded at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from vaeimpute import _numpy_ops
from vaeimpute._encoding import Intervals, Layout, Rows
from vaeimpute._latent_posterior import (
    Posterior,
    draw_latent,
    latent_log_density,
    whiten_latent,
)
from vaeimpute._latent_prior import LatentPrior
from vaeimpute._likelihoods import log_interval_probability
from vaeimpute._vae import VAE, Decoded

#: Draws of z per row behind a density.
_DENSITY_DRAWS = 64

#: Draws of z per row and network of which one is kept.
CANDIDATES = 32

#: The same of rows of which little is known: most candidates do not go with it.
CANDIDATES_OF_NEW_ROWS = 128


@dataclass(frozen=True)
class Importance:
    """Weighed draws of the latents of rows.

    Attributes
    ----------
    model : VAE
        In the namespace of NumPy.
    weights : dict of str to ndarray
    layout : Layout
    priors : tuple of LatentPrior
        Where the latents of each network lie; empty, where it is N(0, I).
    """

    model: VAE
    weights: dict[str, np.ndarray]
    layout: Layout
    priors: tuple[LatentPrior, ...]

    def posterior(self, rows: Rows) -> Posterior:
        """Return q(z | the observed cells) of each row."""
        cells = self.model.cells(self.layout, *rows)
        return self.model.encode(self.weights, self.layout, cells)

    def weighted_draws(self, rows: Rows, intervals, noises):
        """Decode latents drawn from each row's posterior, with importance weights.

        Parameters
        ----------
        noises : ndarray of shape (n_draws, n_rows or 1, n_latent)
            Standard normal; all networks get the same.

        Returns
        -------
        draws : Decoded of shape (n_draws, [n_networks,] n_rows, ...)
        log_weights : ndarray of shape (n_draws, [n_networks,] n_rows)
            ``log p(x, z) - log q(z | x)``.
        """
        posterior = self.posterior(rows)
        latents = self._drawn(posterior, noises)
        return self._weighed(rows, intervals, posterior, latents)

    def weighted_candidates(self, rows: Rows, noises, uniform):
        """Decode latents of each row's posterior and of the prior, half each.

        Weighted by ``p(x, z) / (q(z | x) + p(z))`` (multiple importance sampling, Veach
        & Guibas 1995, sec. 3.2), where few observed cells leave open what q leaves out.

        Parameters
        ----------
        noises : ndarray of shape (n_draws, n_rows, n_latent)
        uniform : ndarray of shape (n_draws / 2, n_rows)
            Chooses components of the prior.

        Returns
        -------
        candidates, log_weights
            As of `weighted_draws`.
        """
        sizes, nowhere = self.model.architecture, no_intervals(len(rows.values))
        if self.model.is_exact:
            return self.weighted_draws(rows, nowhere, noises)
        standard = LatentPrior.standard(sizes.n_latent)
        priors = self.priors or (standard,) * sizes.n_posteriors
        posterior, half = self.posterior(rows), len(uniform)
        near = self._drawn(posterior, noises[half:])
        far = [prior.place(noises[:half], uniform) for prior in priors]
        far = np.stack(far, axis=1) if sizes.is_mixture else far[0]
        latents = np.concatenate([near, far])
        return self._weighed(rows, nowhere, posterior, latents, are_half_of_prior=True)

    def _drawn(self, posterior: Posterior, noises: np.ndarray) -> np.ndarray:
        """Return draws of latents, (n_draws, [n_networks,] n_rows, n_latent)."""
        shape = posterior.mean.shape
        noises = np.broadcast_to(noises, (len(noises), *shape[-2:]))
        if self.model.architecture.is_mixture:
            noises = noises[:, None]
        return draw_latent(_numpy_ops, posterior, noises)

    def _weighed(self, rows, intervals, posterior, latents, are_half_of_prior=False):
        """Decode latents; weigh by p(x, z) over the density that they come from."""
        draws = self._decoded(latents)
        noises = whiten_latent(_numpy_ops, posterior, latents)
        proposed = latent_log_density(_numpy_ops, posterior, noises)
        prior = self._prior_log_density(latents)
        if are_half_of_prior:
            proposed = np.logaddexp(proposed, prior)
        cells = self.model.cells(self.layout, rows.values, rows.observed)
        likelihood = self._log_likelihood(cells, intervals, draws)
        return draws, likelihood + prior - proposed

    def _decoded(self, latents) -> Decoded:
        """Decode draws of latents at once: few large products instead of many."""
        n_draws, *networks, n_rows, d = latents.shape
        # Networks come first for the decoder, and draws and rows are one axis.
        flat = np.moveaxis(latents, 0, -3).reshape(*networks, n_draws * n_rows, d)
        decoded = self.model.decode(self.weights, self.layout, flat)
        shape = (*networks, n_draws, n_rows)
        return Decoded(
            *(np.moveaxis(x.reshape(*shape, x.shape[-1]), -3, 0) for x in decoded)
        )

    def _log_likelihood(self, cells, intervals, decoded):
        """Return log p(x | z) per row."""
        cell = self.model.log_likelihood(self.weights, self.layout, cells, decoded)
        at = intervals.columns
        spread = np.exp(0.5 * self.weights["decoder.log_noise"][at])
        probability = log_interval_probability(
            intervals.low, intervals.high, decoded.numbers[..., at], spread
        )
        cell[..., at] = np.where(cells.observed[:, at] > 0, probability, 0.0)
        return cell.sum(axis=-1)

    def _prior_log_density(self, latents):
        if not self.priors:
            constant = latents.shape[-1] * np.log(2 * np.pi)
            return -0.5 * (constant + np.sum(latents**2, axis=-1))
        if not self.model.architecture.is_mixture:
            return self.priors[0].log_density(latents)
        pairs = enumerate(self.priors)
        return np.stack([x.log_density(latents[:, k]) for k, x in pairs], axis=1)


def shares_in_centre(log_weights: np.ndarray) -> np.ndarray:
    """Return the shares of candidates in their centre, (n_candidates, n_rows).

    Weights that few candidates share say little of the mean: half of it is that of the
    first half, which are draws from the posterior, all alike.
    """
    share = 0.5 * softmax(log_weights, axis=0)
    share[: len(share) // 2] += 1.0 / len(share)
    return share


def no_intervals(n_rows: int) -> Intervals:
    """Return that no column is discrete."""
    return Intervals(np.zeros(0, int), *np.zeros((2, n_rows, 0)))


def density_noise(n_latent: int) -> np.ndarray:
    """Return fixed antithetic standard normal draws, (n_draws, 1, n_latent)."""
    return _antithetic(np.random.default_rng(0), _DENSITY_DRAWS, n_latent)


def candidate_noise(n_latent: int) -> tuple[np.ndarray, np.ndarray]:
    """Return fixed noise of candidates, and evenly spread numbers for the prior's."""
    generator, half = np.random.default_rng(0), CANDIDATES // 2
    noises = [_antithetic(generator, half, n_latent) for _ in range(2)]
    return np.concatenate(noises), (np.arange(half)[:, None] + 0.5) / half


def _antithetic(generator, n_draws: int, n_latent: int) -> np.ndarray:
    half = generator.standard_normal((n_draws // 2, 1, n_latent))
    return np.concatenate([half, -half])
