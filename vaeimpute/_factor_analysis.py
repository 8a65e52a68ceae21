"""Factor analysis of an incomplete table: the linear core of the model.

``x = mean + loadings z + noise`` with ``z ~ N(0, I)`` and one noise variance
per value. Fitted by expectation-maximisation over the observed cells only, so
that no cell has to be filled first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

#: Numbers in the posterior covariances held at once: a few MiB stay in the cache.
_BLOCK_NUMBERS = 2**18

#: What the prior of the noise is worth in rows: enough for a table of few rows, and
#: hardly more, as it widens what is left open (docs/experiments.md, trial 46).
PRIOR_ROWS = 0.5

#: Keeps matrices of values that no row has, or of factors that are not used, regular.
_LEAST_PRECISION = 1e-6

#: Smallest noise variance, in units of the value's variance.
NOISE_FLOOR = 1e-3

#: EM steps from a model to one of rows that it has drawn.
_REFIT_STEPS = 10


@dataclass(frozen=True)
class FactorAnalysis:
    """A fitted linear-Gaussian latent variable model.

    Attributes
    ----------
    mean : ndarray of shape (n_values,)
    loadings : ndarray of shape (n_values, rank)
    noise : ndarray of shape (n_values,)
        Variances, never below the floor that the fit was given.
    """

    mean: np.ndarray
    loadings: np.ndarray
    noise: np.ndarray

    @property
    def rank(self) -> int:
        """Number of factors."""
        return self.loadings.shape[1]

    def posterior(
        self, values: np.ndarray, observed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (n_rows, rank) and covariance (n_rows, rank, rank) of z.

        The posterior precision is ``I + sum_j w_j w_j' / noise_j`` over the
        observed values j (Bishop 2006, eq. 12.42 with one noise per value).
        """
        precision = observed / self.noise
        outer = _outer_products(self.loadings)
        identity, shape = np.eye(self.rank), (-1, self.rank, self.rank)
        # Rows that are whole share one covariance.
        different = precision[:1] if np.all(observed) else precision
        covariance = np.linalg.inv(identity + (different @ outer).reshape(shape))
        covariance = np.broadcast_to(covariance, (len(values), *shape[1:]))
        centred = np.where(observed, values - self.mean, 0.0)
        projected = (centred * precision) @ self.loadings
        mean = np.einsum("nij,nj->ni", covariance, projected)
        return mean, covariance

    def predict(self, values: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return E[x | observed values], shape (n_rows, n_values)."""
        filled = np.empty(values.shape)
        for block in _blocks(len(values), self.rank):
            latent, _ = self.posterior(values[block], observed[block])
            filled[block] = self.mean + latent @ self.loadings.T
        return filled


class Moments(NamedTuple):
    """Expected sums that the next model follows from, over observed rows of each value.

    Attributes
    ----------
    seconds : ndarray of shape (n_values, rank + 1, rank + 1)
        Of E[(z, 1) (z, 1)'].
    cross : ndarray of shape (n_values, rank + 1)
        Of x E[(z, 1)].
    squares, count : ndarrays of shape (n_values,)
        Of x^2 and of ones.
    latent_mean, latent_second : ndarrays of shape (rank,) and (rank, rank)
        Means over all rows of E[z] and E[z z'].
    """

    seconds: np.ndarray
    cross: np.ndarray
    squares: np.ndarray
    count: np.ndarray
    latent_mean: np.ndarray
    latent_second: np.ndarray


def fit_factor_analysis(
    values: np.ndarray,
    observed: np.ndarray,
    rank: int,
    *,
    noise_floor: float = NOISE_FLOOR,
    prior_rows: float = PRIOR_ROWS,
    max_iter: int = 60,
    tol: float = 1e-3,
    start: FactorAnalysis | None = None,
    equal_noise: bool = False,
    shrink_loadings: bool = True,
) -> FactorAnalysis:
    """Fit factor analysis to the observed cells by parameter-expanded EM.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_values)
        Standardised values; whatever stands in unobserved cells is ignored.
    observed : bool ndarray of shape (n_rows, n_values)
    rank : int
        Number of factors, at most ``n_values``.
    noise_floor : float
        Smallest noise variance, in units of the value's variance.
    prior_rows : float
        Weight, in rows, of a prior that draws noise to the value's whole variance.
    max_iter, tol : int, float
        EM stops when no communality moves by more than `tol`.
    start : FactorAnalysis, optional
        Where EM starts, of the same rank: a model of nearly the same cells.
    equal_noise : bool
        One noise variance for all values: probabilistic principal component analysis,
        whose loadings span the principal subspace.
    shrink_loadings : bool
        Whether loadings have a prior N(0, A), with A learned from all of them: what
        keeps a small table, or a value that few rows have, from fitting noise.

    References
    ----------
    Rubin & Thayer (1982), *EM algorithms for ML factor analysis*; Liu, Rubin
    & Wu (1998), *Parameter expansion to accelerate EM*. Tipping & Bishop (1999),
    *Probabilistic principal component analysis*. Bishop (1999), *Variational principal
    components*, for the learned prior.
    """
    values = np.where(observed, values, 0.0)
    model = start or _principal_start(values, observed, rank, noise_floor, equal_noise)
    second = np.eye(rank) if shrink_loadings else None
    for _ in range(max_iter):
        before = np.sum(model.loadings**2, axis=1)
        moments = expected_moments(model, values, observed)
        model, second = maximise(
            moments, model.noise, second, noise_floor, prior_rows, equal_noise
        )
        if np.max(np.abs(np.sum(model.loadings**2, axis=1) - before)) < tol:
            break
    return model


def refit_to_drawn_rows(
    model: FactorAnalysis, observed: np.ndarray, generator: np.random.Generator
) -> FactorAnalysis:
    """Return what a model would have been, had other rows been drawn from it.

    The parametric bootstrap (Efron & Tibshirani 1993, section 6.5): how refitted models
    scatter around the first is how that scatters around the truth. EM starts from the
    model that the rows were drawn from, so that no factor turns or changes its sign.

    Parameters
    ----------
    model : FactorAnalysis
    observed : bool ndarray of shape (n_rows, n_values)
        Which values to observe.
    generator : numpy.random.Generator
    """
    latent = generator.standard_normal((len(observed), model.rank))
    noise = np.sqrt(model.noise) * generator.standard_normal(observed.shape)
    values = model.mean + latent @ model.loadings.T + noise
    return fit_factor_analysis(
        values,
        observed,
        model.rank,
        noise_floor=float(model.noise.min()),
        max_iter=_REFIT_STEPS,
        start=model,
    )


def maximise(
    moments: Moments,
    noise: np.ndarray,
    prior_second: np.ndarray | None,
    noise_floor: float = NOISE_FLOOR,
    prior_rows: float = PRIOR_ROWS,
    equal_noise: bool = False,
) -> tuple[FactorAnalysis, np.ndarray | None]:
    """Return the model that moments lead to, and the second moment of its loadings.

    Parameters
    ----------
    moments : Moments
        Under the model before.
    noise : ndarray of shape (n_values,)
        Of the model before.
    prior_second : ndarray of shape (rank, rank) or None
        Second moment of the prior of the loadings; None is no prior.
    noise_floor, prior_rows, equal_noise
        As of `fit_factor_analysis`.
    """
    seconds, cross, squares, count, latent_mean, latent_second = moments
    # One ridge regression of each value on (z, 1): the prior acts on z alone.
    precision = _prior_precision(noise, prior_second, len(latent_mean))
    inverse = np.linalg.inv(seconds + precision)
    coefficients = np.einsum("vij,vj->vi", inverse, cross)
    fitted = np.einsum("vi,vij,vj->v", coefficients, seconds, coefficients)
    residual = squares - 2 * np.sum(coefficients * cross, axis=1) + fitted
    residual, weight = np.maximum(residual, 0.0) + prior_rows, count + prior_rows
    if equal_noise:
        residual, weight = np.full(len(residual), residual.sum()), weight.sum()
    noise = residual / weight
    loadings, mean = coefficients[:, :-1], coefficients[:, -1]
    # Expansion: let z ~ N(m, R) for this step, then fold m and R back into the
    # loadings, which multiplies the speed of plain EM.
    spread = latent_second - np.outer(latent_mean, latent_mean)
    root = np.linalg.cholesky(spread + 1e-9 * np.eye(len(spread)))
    noise = np.maximum(noise, noise_floor)
    if prior_second is not None:
        # E[w w'] over values: of the estimates, and of what is uncertain about them.
        uncertain = np.tensordot(noise, inverse[:, :-1, :-1], axes=1)
        prior_second = (loadings.T @ loadings + uncertain) / len(loadings)
        prior_second = root.T @ prior_second @ root
    expanded = FactorAnalysis(mean + loadings @ latent_mean, loadings @ root, noise)
    return expanded, prior_second


def _prior_precision(noise, second, rank) -> np.ndarray:
    """Return the precision of the prior of every value's coefficients on (z, 1).

    Loadings are N(0, A) with their second moment A over all values, which has the
    precision ``noise_j A^-1`` in units of the value's noise: what is noisy, or seen in
    few rows, loads on what others load on. The mean is left free.
    """
    least = _LEAST_PRECISION * np.eye(rank + 1)
    if second is None:
        return least
    precision = np.tile(least, (len(noise), 1, 1))
    inverse = np.linalg.inv(second + _LEAST_PRECISION * np.eye(rank))
    precision[:, :-1, :-1] += noise[:, None, None] * inverse
    return precision


def expected_moments(model, values, observed) -> Moments:
    """Return the moments of rows under a model; values are 0 where not observed."""
    n_rows, n_values = values.shape
    size = model.rank + 1
    seconds = np.zeros((n_values, size * size))
    cross = np.zeros((n_values, size))
    latent_mean = np.zeros(model.rank)
    latent_second = np.zeros((model.rank, model.rank))
    for block in _blocks(n_rows, model.rank):
        mean, covariance = model.posterior(values[block], observed[block])
        extended = np.column_stack([mean, np.ones(len(mean))])
        second = extended[:, :, None] * extended[:, None, :]
        second[:, :-1, :-1] += covariance
        present = observed[block].astype(float)
        seconds += present.T @ second.reshape(len(mean), -1)
        cross += values[block].T @ extended
        latent_mean += mean.sum(axis=0)
        latent_second += second[:, :-1, :-1].sum(axis=0)
    squares = np.sum(values**2, axis=0)
    shape = (n_values, size, size)
    return Moments(
        seconds.reshape(shape),
        cross,
        squares,
        observed.sum(axis=0).astype(float),
        latent_mean / n_rows,
        latent_second / n_rows,
    )


def _principal_start(
    values, observed, rank, noise_floor, equal_noise
) -> FactorAnalysis:
    """Start from the leading eigenvectors of the pairwise covariance."""
    n_observed = np.maximum(observed.sum(axis=0), 1)
    mean = values.sum(axis=0) / n_observed
    centred = np.where(observed, values - mean, 0.0)
    present = observed.astype(float)
    together = present.T @ present
    # Pairs seen in few rows are shrunk: their products are mostly noise.
    covariance = (centred.T @ centred) / (together + 2.0)
    eigenvalues, eigenvectors = np.linalg.eigh(covariance)
    leading, vectors = eigenvalues[::-1][:rank], eigenvectors[:, ::-1][:, :rank]
    rest = eigenvalues[::-1][rank:]
    level = max(float(rest.mean()) if len(rest) else 0.0, noise_floor)
    scale = np.sqrt(np.maximum(leading - level, 1e-2 * level))
    loadings = vectors * scale
    noise = np.diag(covariance) - np.sum(loadings**2, axis=1)
    if equal_noise:
        noise = np.full(len(noise), level)
    return FactorAnalysis(mean, loadings, np.maximum(noise, max(noise_floor, 0.05)))


def _outer_products(loadings: np.ndarray) -> np.ndarray:
    """Return w_j w_j' flattened, shape (n_values, rank * rank)."""
    outer = loadings[:, :, None] * loadings[:, None, :]
    return outer.reshape(len(loadings), -1)


def _blocks(n_rows: int, rank: int):
    size = max(1, _BLOCK_NUMBERS // (rank + 1) ** 2)
    return (slice(start, start + size) for start in range(0, n_rows, size))
