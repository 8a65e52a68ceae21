"""Where the latents of rows lie: a mixture of Gaussians instead of one.

Training pulls every row's posterior to N(0, I), but together they do not fill it: with
sharp decoders most of its volume decodes to nothing that a table holds. So the prior is
fitted once more to the posteriors of the rows, after training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp, softmax

#: Rows of each component at least, and components at most.
_ROWS_PER_COMPONENT, _MAX_COMPONENTS = 10, 100

_EM_STEPS = 10

#: Added to variances: latents that never vary have none.
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class LatentPrior:
    """Gaussians of one common covariance.

    Ghosh et al. (2020), *From variational to deterministic autoencoders*, section 4,
    fit such a density of latents after training.

    Attributes
    ----------
    log_shares : ndarray of shape (n_components,)
    centres : ndarray of shape (n_components, n_latent)
    factor : ndarray of shape (n_latent, n_latent)
        Lower Cholesky factor of the covariance.
    """

    log_shares: np.ndarray
    centres: np.ndarray
    factor: np.ndarray

    @classmethod
    def standard(cls, n_latent: int) -> LatentPrior:
        """Return N(0, I)."""
        return cls(np.zeros(1), np.zeros((1, n_latent)), np.eye(n_latent))

    @classmethod
    def fit(cls, latents: np.ndarray, n_rows: int) -> LatentPrior:
        """Fit to draws from the posteriors of rows, the same number from each.

        Expectation-maximisation. Between and within the components lies all the
        covariance of the draws, however few components there are.
        """
        from sklearn.cluster import KMeans  # slow to import

        count = max(1, min(n_rows // _ROWS_PER_COMPONENT, _MAX_COMPONENTS))
        clusters = KMeans(count, n_init=1, max_iter=20, random_state=0).fit(latents)
        share = np.eye(count)[clusters.labels_]  # (n_draws, n_components)
        moment = latents.T @ latents / len(latents)
        prior = cls._of_shares(latents, share, moment)
        # scikit-learn's mixture whitens the draws anew for every component, which
        # takes fifty times as long.
        for _ in range(_EM_STEPS):
            share = softmax(prior._joint_log_density(latents), axis=1)
            prior = cls._of_shares(latents, share, moment)
        return prior

    @classmethod
    def _of_shares(cls, latents, share, moment) -> LatentPrior:
        """Return the likeliest prior if each draw belongs to components by shares."""
        total = np.maximum(share.mean(axis=0), 1e-12)
        centres = share.T @ latents / (len(latents) * total[:, None])
        between = (centres * total[:, None]).T @ centres
        covariance = moment - between + _LEAST_VARIANCE * np.eye(len(moment))
        log_shares = np.log(total)
        return cls(log_shares, centres, np.linalg.cholesky(covariance))

    def log_density(self, latents: np.ndarray) -> np.ndarray:
        """Return the log-density of latents, without their last axis."""
        rows = latents.reshape(-1, latents.shape[-1])
        density = logsumexp(self._joint_log_density(rows), axis=1)
        return density.reshape(latents.shape[:-1])

    def _joint_log_density(self, latents):
        """Return log p(component, z), (n_rows, n_components)."""
        points = solve_triangular(self.factor, latents.T, lower=True).T
        centres = solve_triangular(self.factor, self.centres.T, lower=True).T
        squares = (
            np.sum(points**2, axis=1)[:, None]
            - 2.0 * points @ centres.T
            + np.sum(centres**2, axis=1)
        )
        constant = latents.shape[1] * np.log(2.0 * np.pi)
        volume = np.sum(np.log(np.diagonal(self.factor)))
        return self.log_shares - 0.5 * (squares + constant) - volume

    def place(self, noise: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Return the points that random numbers stand for, (..., n_latent).

        Parameters
        ----------
        noise : ndarray of shape (..., n_latent)
            Standard normal.
        uniform : ndarray of shape (...)
            Between 0 and 1; chooses the components.
        """
        ends = np.cumsum(np.exp(self.log_shares))
        component = np.searchsorted(ends[:-1], uniform, side="right")
        return self.centres[component] + noise @ self.factor.T

    def sample(self, n_rows: int, generator: np.random.Generator) -> np.ndarray:
        """Draw latents, (n_rows, n_latent)."""
        noise = generator.standard_normal((n_rows, len(self.factor)))
        return self.place(noise, generator.random(n_rows))
