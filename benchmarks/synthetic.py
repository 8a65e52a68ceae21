"""Tables with a known truth, for the smallest RMSE that any imputer can reach.

Rows are drawn from a mixture of normal distributions, whose conditional distributions
have a closed form. Of all functions of the observed cells, the conditional mean has the
smallest expected squared error, and that error is the conditional variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import softmax


@dataclass(frozen=True)
class NormalMixture:
    """The distribution of a row of `n_columns` cells.

    `weights` has the shape (n_components,) and sums to one, `means` has
    (n_components, n_columns), `covariances` (n_components, n_columns, n_columns).
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        return self.weights @ self.means

    @property
    def covariance(self) -> np.ndarray:
        return _total_covariance(self.weights, self.means, self.covariances)

    def standardised(self) -> NormalMixture:
        """Return the mixture of the columns with mean 0 and variance 1."""
        scale = np.sqrt(self.covariance.diagonal())
        means = (self.means - self.mean) / scale
        covariances = self.covariances / np.outer(scale, scale)
        return NormalMixture(self.weights, means, covariances)

    def draw(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """Return a complete table with the columns x0, x1, ..."""
        components = rng.choice(len(self.weights), size=n_rows, p=self.weights)
        noise = rng.standard_normal((n_rows, self.means.shape[1]))
        roots = np.linalg.cholesky(self.covariances)
        values = self.means[components] + np.einsum(
            "nij,nj->ni", roots[components], noise
        )
        return pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])

    def conditional(
        self, values: np.ndarray, observed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (n, p) and covariance (n, p, p) of n rows given observed cells.

        An observed cell has its own value and no variance; what `values` holds in the
        other cells is not looked at.
        """
        n_rows, n_columns = values.shape
        mean = np.where(observed, values, 0.0)
        covariance = np.zeros((n_rows, n_columns, n_columns))
        patterns, of_row = np.unique(observed, axis=0, return_inverse=True)
        of_row = of_row.reshape(n_rows)  # NumPy 2.0.0 has another shape
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(of_row == number)
            hidden = np.flatnonzero(~pattern)
            moments = self._of_hidden(values[np.ix_(rows, pattern)], pattern)
            mean[np.ix_(rows, hidden)], covariance[np.ix_(rows, hidden, hidden)] = (
                moments
            )
        return mean, covariance

    def _of_hidden(
        self, known: np.ndarray, observed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and covariance of the cells hidden in one pattern.

        With S a component's covariance, o its observed and h its hidden columns, the
        component is N(m_h + S_ho S_oo^-1 (x_o - m_o), S_hh - S_ho S_oo^-1 S_oh)
        (Bishop 2006, eqs. 2.81-2.82). It counts by its responsibility for x_o.
        """
        among = self.covariances[:, observed][:, :, observed]
        across = self.covariances[:, observed][:, :, ~observed]
        within = self.covariances[:, ~observed][:, :, ~observed]
        gains = np.linalg.solve(among, across)  # (k, o, h)
        centred = known - self.means[:, None, observed]  # (k, n, o)
        means = self.means[:, None, ~observed] + centred @ gains
        covariances = within - across.transpose(0, 2, 1) @ gains
        whitened = np.linalg.solve(np.linalg.cholesky(among), centred.swapaxes(1, 2))
        log_density = -0.5 * (
            (whitened**2).sum(axis=1) + np.linalg.slogdet(among)[1][:, None]
        )
        weights = softmax(np.log(self.weights)[:, None] + log_density, axis=0).T
        mean = np.einsum("nk,knh->nh", weights, means)
        return mean, _total_covariance(weights, means.swapaxes(0, 1), covariances)

    def fill(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table with each missing cell at its conditional mean."""
        observed = table.notna().to_numpy()
        mean, _ = self.conditional(table.to_numpy(dtype=float), observed)
        return pd.DataFrame(mean, index=table.index, columns=table.columns)

    def smallest_rmse(self, table: pd.DataFrame) -> float:
        """Return the RMSE to expect of `fill`, over all missing cells together."""
        observed = table.notna().to_numpy()
        _, covariance = self.conditional(table.to_numpy(dtype=float), observed)
        variances = np.einsum("nii->ni", covariance)
        return float(np.sqrt(variances[~observed].mean()))


def gaussian_factor(
    n_rows: int = 2_000,
    n_columns: int = 10,
    rank: int = 3,
    noise: float = 0.3,
    random_state: int = 0,
) -> tuple[pd.DataFrame, NormalMixture]:
    """Return a table of `rank` factors and noise, and its distribution.

    `noise` is the share of noise in the variance of each column, which is one. The best
    imputation is linear.
    """
    rng = np.random.default_rng(random_state)
    covariance = _factor_covariance(n_columns, rank, noise, rng)
    truth = NormalMixture(np.ones(1), np.zeros((1, n_columns)), covariance[None])
    return truth.draw(n_rows, rng), truth


def gaussian_mixture(
    n_rows: int = 2_000,
    n_columns: int = 10,
    n_components: int = 4,
    rank: int = 3,
    noise: float = 0.1,
    separation: float = 1.0,
    random_state: int = 0,
) -> tuple[pd.DataFrame, NormalMixture]:
    """Return a table of groups, each with factors of its own, and its distribution.

    Centres of groups have the standard deviation `separation` in each column, in those
    of a group; then columns get mean 0 and variance 1. The best imputation is not
    linear: which columns tell of a hidden cell, and how, differs between groups.
    """
    rng = np.random.default_rng(random_state)
    groups = [
        _factor_covariance(n_columns, rank, noise, rng) for _ in range(n_components)
    ]
    truth = NormalMixture(
        np.full(n_components, 1 / n_components),
        separation * rng.standard_normal((n_components, n_columns)),
        np.stack(groups),
    ).standardised()
    return truth.draw(n_rows, rng), truth


def _factor_covariance(
    n_columns: int, rank: int, noise: float, rng: np.random.Generator
) -> np.ndarray:
    """Return a covariance with variances of one, of which `noise` is not shared."""
    if not 0 < noise <= 1:
        raise ValueError(f"noise: got {noise}, expected a share above 0, at most 1")
    loadings = rng.standard_normal((n_columns, rank))
    loadings /= np.linalg.norm(loadings, axis=1, keepdims=True)
    return (1 - noise) * loadings @ loadings.T + noise * np.eye(n_columns)


def _total_covariance(
    weights: np.ndarray, means: np.ndarray, covariances: np.ndarray
) -> np.ndarray:
    """Return the covariance of mixtures, (..., h, h), by the law of total variance.

    `weights` has the shape (..., k), `means` (..., k, h), `covariances` (k, h, h).
    """
    within = np.einsum("...k,kij->...ij", weights, covariances)
    apart = means - np.einsum("...k,...ki->...i", weights, means)[..., None, :]
    return within + np.einsum("...k,...ki,...kj->...ij", weights, apart, apart)
