"""Multivariate normal distribution fitted to an incomplete table, as a rival.

Little & Rubin, *Statistical Analysis with Missing Data*, section 11.2: each step takes
the expectations of the missing numbers and of their products, row by row, then the
mean and covariance of the completed table.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class GaussianEM(TransformerMixin, BaseEstimator):
    """Fill missing numbers by their conditional mean under one normal distribution.

    Columns should have about the same spread.

    Parameters
    ----------
    max_iter : int
        Steps of expectation-maximisation at most.
    tol : float
        The fit ends when no entry of the covariance moves by more.
    ridge : float
        Added to the variances at each step: what keeps a covariance of columns that
        determine each other invertible.
    """

    def __init__(self, max_iter=200, tol=1e-4, ridge=1e-3):
        self.max_iter = max_iter
        self.tol = tol
        self.ridge = ridge

    def fit(self, X, y=None):
        X = np.asarray(X, dtype=float)
        self.mean_ = np.nanmean(X, axis=0)
        self.covariance_ = np.diag(np.nanvar(X, axis=0) + self.ridge)
        for _ in range(self.max_iter):
            filled, spread = self._expectations(X)
            before, self.mean_ = self.covariance_, filled.mean(axis=0)
            centred = filled - self.mean_
            products = centred.T @ centred + spread
            self.covariance_ = products / len(X) + self.ridge * np.eye(X.shape[1])
            if np.max(np.abs(self.covariance_ - before)) < self.tol:
                break
        return self

    def transform(self, X):
        return self._expectations(np.asarray(X, dtype=float))[0]

    def draw(self, X, n_draws, random_state=None):
        """Return tables filled by draws from the conditional normal distributions."""
        X = np.asarray(X, dtype=float)
        filled, rng = self.transform(X), np.random.default_rng(random_state)
        draws = np.repeat(filled[None], n_draws, axis=0)
        for rows, gap in _patterns(X):
            root = np.linalg.cholesky(self._conditional(gap)[1])
            noise = rng.standard_normal((n_draws, len(rows), len(root)))
            draws[:, rows[:, None], np.flatnonzero(gap)] += noise @ root.T
        return list(draws)

    def _expectations(self, X):
        """Return the filled table, and the covariance of what was filled, summed."""
        filled, spread = X.copy(), np.zeros_like(self.covariance_)
        for rows, gap in _patterns(X):
            slopes, rest = self._conditional(gap)
            centred = X[np.ix_(rows, ~gap)] - self.mean_[~gap]
            filled[np.ix_(rows, gap)] = self.mean_[gap] + centred @ slopes
            spread[np.ix_(gap, gap)] += len(rows) * rest
        return filled, spread

    def _conditional(self, gap):
        """Return how the columns with a gap depend on the others, and what is left."""
        among_known = self.covariance_[np.ix_(~gap, ~gap)]
        across = self.covariance_[np.ix_(~gap, gap)]
        slopes = np.linalg.solve(among_known, across)
        return slopes, self.covariance_[np.ix_(gap, gap)] - across.T @ slopes


def _patterns(X):
    """Yield the rows that lack the same columns, and which columns these are."""
    patterns, pattern_of = np.unique(np.isnan(X), axis=0, return_inverse=True)
    for k, gap in enumerate(patterns):
        if gap.any():
            yield np.flatnonzero(pattern_of.ravel() == k), gap
