"""Factor analysis of an incomplete table: the linear core of the model.

``x = mean + loadings z + noise`` with ``z ~ N(0, I)`` and one noise variance
per value. Fitted by expectation-maximisation over the observed cells only, so
that no cell has to be filled first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

#: Latents of the rows that are taken at once: enough for steps of NumPy to be long, and
#: few enough for their covariances to stay in the cache.
_BLOCK_LATENTS = 2**13

#: What the prior of the noise is worth in rows: enough for a table of few rows, and
#: hardly more, as it widens what is left open (docs/experiments.md, trial 46).
PRIOR_ROWS = 0.5

#: Keeps matrices of values that no row has, or of factors that are not used, regular.
_LEAST_PRECISION = 1e-6

#: Smallest noise variance, in units of the value's variance.
NOISE_FLOOR = 1e-3

#: What is known of the latents of rows gone by, as a share of what there would be to
#: know had they been observed (docs/experiments.md, trial 69).
_KNOWN_OF_LATENTS = 0.5

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
        """Return mean (n_rows, rank) and covariance (n_rows, rank, rank) of z."""
        rows = sort_by_pattern(values, observed)
        mean = np.empty((len(values), self.rank))
        covariance = np.empty((*mean.shape, self.rank))
        for block in rows.blocks(self.rank):
            latent, of_pattern = _posterior(self, block)
            mean[block.order] = latent.T
            covariance[block.order] = of_pattern.transpose(2, 0, 1)[block.pattern]
        return mean, covariance

    def predict(self, values: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return E[x | observed values], shape (n_rows, n_values)."""
        filled = np.empty(values.shape)
        for block in sort_by_pattern(values, observed).blocks(self.rank):
            latent, _ = _posterior(self, block)
            filled[block.order] = self.mean + latent.T @ self.loadings.T
        return filled


class PatternedRows(NamedTuple):
    """Rows sorted by which values they have: these share a covariance of latents.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_values)
        0 where not observed.
    order : int ndarray of shape (n_rows,)
        Where each row stood before.
    pattern : int ndarray of shape (n_rows,)
        Of each row; it never falls, and no pattern is left out.
    observed : bool ndarray of shape (n_patterns, n_values)
    """

    values: np.ndarray
    order: np.ndarray
    pattern: np.ndarray
    observed: np.ndarray

    def blocks(self, rank: int) -> Iterator[PatternedRows]:
        """Yield rows in pieces whose posteriors stay in the cache."""
        size = max(1, _BLOCK_LATENTS // rank)
        for start in range(0, len(self.values), size):
            rows = slice(start, start + size)
            pattern = self.pattern[rows]
            present = slice(pattern[0], pattern[-1] + 1)
            yield PatternedRows(
                self.values[rows],
                self.order[rows],
                pattern - pattern[0],
                self.observed[present],
            )


def sort_by_pattern(values: np.ndarray, observed: np.ndarray) -> PatternedRows:
    """Sort rows; values may be anything where they are not observed."""
    packed = np.ascontiguousarray(np.packbits(observed, axis=1))
    keys = packed.view(f"V{packed.shape[1]}")[:, 0]
    _, first, pattern = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(pattern, kind="stable")
    values = np.where(observed, values, 0.0)[order]
    return PatternedRows(values, order, pattern[order], observed[first])


def _posterior(model: FactorAnalysis, rows: PatternedRows):
    """Return mean (rank, n_rows) and covariance (rank, rank, n_patterns) of z.

    The posterior precision is ``I + sum_j w_j w_j' / noise_j`` over the observed
    values j (Bishop 2006, eq. 12.42 with one noise per value). Rows come last, so that
    all of them take each step of a factorisation at once.
    """
    precision = rows.observed.T / model.noise[:, None]
    triangle = _triangle(model.rank)
    matrices = np.zeros((model.rank, model.rank, len(rows.observed)))
    matrices[triangle] = _products(model.loadings.T) @ precision
    matrices[np.diag_indices(model.rank)] += 1.0
    covariance = _inverse(matrices)
    centred = (rows.values - model.mean).T * precision[:, rows.pattern]
    projected = model.loadings.T @ centred
    of_rows = covariance
    if len(rows.observed) < len(rows.values):
        of_rows = covariance[:, :, rows.pattern]
    return np.einsum("ijn,jn->in", of_rows, projected), covariance


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """Invert positive definite matrices that stand side by side, (k, k, n_matrices).

    Only what is on and below the diagonals is read.
    By Cholesky's factors ``A = L L'``, of which the inverses follow row by row; a call
    to LAPACK for each takes two to three times as long, up to rank 32.
    """
    lower, inverse = np.zeros_like(matrices), np.zeros_like(matrices)
    for k in range(len(matrices)):
        known = np.einsum("ijn,jn->in", lower[k:, :k], lower[k, :k])
        column = matrices[k:, k] - known
        lower[k:, k] = column / np.sqrt(column[0])
    for k in range(len(matrices)):
        inverse[k, k] = 1.0 / lower[k, k]
        known = np.einsum("jn,jin->in", lower[k, :k], inverse[:k, :k])
        inverse[k, :k] = -known * inverse[k, k]
    product = np.empty_like(matrices)
    for k in range(len(matrices)):
        row = np.einsum("jn,jin->in", inverse[k:, k], inverse[k:, : k + 1])
        product[k, : k + 1], product[: k + 1, k] = row, row
    return product


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
        Where EM starts, of the same rank: a model of nearly the same cells. The prior
        of the loadings starts as these have it.
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
    rows = sort_by_pattern(values, observed)
    if start is None:
        model = _principal_start(values, observed, rank, noise_floor, equal_noise)
        second = np.eye(rank)
    else:
        model, second = start, start.loadings.T @ start.loadings / len(start.loadings)
    if not shrink_loadings:
        second = None
    for _ in range(max_iter):
        before = np.sum(model.loadings**2, axis=1)
        moments = expected_moments(model, rows)
        model, second = maximise(
            moments, model.noise, second, noise_floor, prior_rows, equal_noise
        )
        if np.max(np.abs(np.sum(model.loadings**2, axis=1) - before)) < tol:
            break
    return model


def go_on(
    model: FactorAnalysis,
    count: np.ndarray,
    values: np.ndarray,
    observed: np.ndarray,
    *,
    max_iter: int = 20,
    tol: float = 1e-3,
) -> FactorAnalysis:
    """Return a model that has learned from further rows.

    EM over the new rows, with the sums of those before it added at each step (Neal &
    Hinton 1998, incremental EM). These follow from the model: its latents were N(0, I)
    over the rows in which a value was observed.

    Parameters
    ----------
    model : FactorAnalysis
    count : ndarray of shape (n_values,)
        Rows before, in which each value was observed.
    values, observed, max_iter, tol
        As of `fit_factor_analysis`.
    """
    rows = sort_by_pattern(values, observed)
    before = _moments_of(model, _KNOWN_OF_LATENTS * count)
    second = model.loadings.T @ model.loadings / len(model.loadings)
    floor = float(min(NOISE_FLOOR, model.noise.min()))
    for _ in range(max_iter):
        last = np.sum(model.loadings**2, axis=1)
        moments = expected_moments(model, rows)
        sums = (x + y for x, y in zip(before[:4], moments[:4], strict=True))
        # No expansion, which would turn and stretch the latents of the rows before.
        moments = Moments(*sums, before.latent_mean, before.latent_second)
        model, second = maximise(moments, model.noise, second, floor)
        if np.max(np.abs(np.sum(model.loadings**2, axis=1) - last)) < tol:
            break
    return model


def _moments_of(model: FactorAnalysis, count: np.ndarray) -> Moments:
    """Return the sums that rows of a model have, of which each value is in some."""
    coefficients = np.column_stack([model.loadings, model.mean])
    return Moments(
        count[:, None, None] * np.eye(model.rank + 1),
        count[:, None] * coefficients,
        count * (model.noise + np.sum(coefficients**2, axis=1)),
        count,
        np.zeros(model.rank),
        np.eye(model.rank),
    )


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


def expected_moments(model: FactorAnalysis, rows: PatternedRows) -> Moments:
    """Return the moments of rows under a model."""
    n_rows, n_values = rows.values.shape
    size = model.rank + 1
    # Of symmetric matrices only the half with j up to i; the last row is that of the 1.
    i, j = _triangle(size)
    of_latents = i < model.rank
    seconds = np.zeros((len(i), n_values))
    cross = np.zeros((size, n_values))
    totals = np.zeros(len(i))
    for block in rows.blocks(model.rank):
        latent, covariance = _posterior(model, block)
        latent = np.concatenate([latent, np.ones((1, len(block.values)))])
        second = _products(latent)
        covariance = covariance[i[of_latents], j[of_latents]]
        if len(block.observed) < len(block.values):
            starts = np.flatnonzero(np.diff(block.pattern, prepend=-1))
            second = np.add.reduceat(second, starts, axis=1)
            covariance = covariance * np.bincount(block.pattern)
        second[of_latents] += covariance
        seconds += second @ block.observed.astype(float)
        cross += latent @ block.values
        totals += second.sum(axis=1)
    totals = _symmetric(totals / n_rows, size)
    return Moments(
        _symmetric(seconds.T, size),
        cross.T,
        np.sum(rows.values**2, axis=0),
        np.bincount(rows.pattern) @ rows.observed.astype(float),
        totals[:-1, -1],
        totals[:-1, :-1],
    )


@lru_cache
def _triangle(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places on and below the diagonal; to look them up takes no time."""
    return np.tril_indices(size)


def _products(vectors: np.ndarray) -> np.ndarray:
    """Return x_i x_j for j up to i of vectors that stand side by side, (k, n)."""
    i, j = _triangle(len(vectors))
    return vectors[i] * vectors[j]


def _symmetric(products: np.ndarray, size: int) -> np.ndarray:
    """Return matrices (..., k, k) from the products on and below their diagonals."""
    i, j = _triangle(size)
    matrices = np.empty((*products.shape[:-1], size, size))
    matrices[..., i, j] = matrices[..., j, i] = products
    return matrices


def _principal_start(
    values, observed, rank, noise_floor, equal_noise
) -> FactorAnalysis:
    """Start from the leading eigenvectors of the pairwise covariance."""
    values = np.where(observed, values, 0.0)
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
