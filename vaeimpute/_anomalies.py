"""How unusual rows and cells are to a fitted model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from vaeimpute._encoding import Rows

#: Rows whose answers are held in memory together.
_ROWS_AT_ONCE = 4096


class AnomalyMixin:
    """Scores of rows and cells.

    Asks of its estimator a `_schema`, an `_encoding`, a `_model` and `_read`.
    """

    def score_samples(self, X):
        """Estimate the log-density of each row's observed cells.

        An importance-weighted bound (Burda et al. 2016) with fixed draws, in the
        table's own units. The noise of a numeric column is taken no narrower than
        its resolution allows, so that no cell counts as more than certain.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            Nats per row; 0 for a row with nothing observed.

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
        >>> heavy = penguins.iloc[[0]].assign(body_mass_g=9_000.0)
        >>> bool(imputer.score_samples(heavy) < imputer.score_samples(penguins).min())
        True
        """
        check_is_fitted(self)
        return self._log_density(self._read(X))

    def reconstruction_error(self, X):
        """Return how far each row is from what its latents make of it.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)

        Returns
        -------
        error : ndarray of shape (n_samples,)
            Mean over the observed cells: of numbers the squared error of their
            standardised scores, of levels the squared distance between indicators and
            probabilities (Brier 1950). NaN for a row with nothing observed.

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
        >>> error = imputer.reconstruction_error(penguins)
        >>> error.shape, bool(error.min() >= 0)
        ((344,), True)
        """
        check_is_fitted(self)
        rows = self._encoding.encode(self._read(X))
        filling = self._model.decode(self._model.latents(rows))
        squares = np.where(rows.observed, self._squared_errors(rows, filling), 0.0)
        count = rows.observed.sum(axis=1)
        return np.where(count, squares.sum(axis=1) / np.maximum(count, 1), np.nan)

    def latent_deviation(self, X):
        """Return how far each row's latents are from the middle of N(0, I).

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)

        Returns
        -------
        deviation : ndarray of shape (n_samples,)
            Length of the posterior's mean, in standard deviations of the normal that
            training draws latents to, of which draws are about the root of the number
            of latents away. 0 for a row with nothing observed.

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
        >>> deviations = imputer.latent_deviation(penguins)
        >>> deviations.shape, bool(deviations.min() > 0)
        ((344,), True)
        """
        check_is_fitted(self)
        rows = self._encoding.encode(self._read(X))
        squares = self._model.latents(rows) ** 2
        squares = squares.sum(axis=1) / self._model.architecture.n_posteriors
        return np.where(rows.observed.any(axis=1), np.sqrt(squares), 0.0)

    def cell_scores(self, X):
        """Return how unlikely each observed cell is given the rest of its row.

        Each cell is hidden in turn and predicted from the others. Its score is
        ``-log p``, where p is the probability of a value as far out, or of a level as
        unlikely, as the one that is observed: 3 means that one cell in twenty is as
        odd, 7 one in a thousand. Cells of all columns can be compared.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)

        Returns
        -------
        scores : DataFrame or ndarray of shape (n_samples, n_features)
            Nats, 0 or more; a frame of pandas where `X` is one. NaN where `X` is
            missing, and in columns that the model does not hold: free text, copies of
            other columns, and those without an observed cell at `fit`. Infinite for
            levels that `fit` has not seen.

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins().dropna(ignore_index=True)
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
        >>> penguins.loc[7, "body_mass_g"] = 40_000  # grams, with a zero too many
        >>> imputer.cell_scores(penguins).stack().idxmax()
        (7, 'body_mass_g')
        """
        check_is_fitted(self)
        X = self._check_table(X)
        values, missing = self._schema.read(X)
        rows = self._encoding.encode(values)
        scores = np.full(values.shape, np.nan)
        for k, j in enumerate(self._encoding.encoded):
            at = np.flatnonzero(rows.observed[:, k])
            scores[at, j] = self._surprise(values, rows, k, at)
            scores[~rows.observed[:, k] & ~missing[:, j], j] = np.inf
        if not isinstance(X, pd.DataFrame):
            return scores
        return pd.DataFrame(scores, index=X.index, columns=X.columns)

    def _surprise(self, values, rows, k, at):
        """Return the scores of an encoded column's cells in some rows."""
        parts = [np.zeros(0)]
        for start in range(0, len(at), _ROWS_AT_ONCE):
            some = at[start : start + _ROWS_AT_ONCE]
            observed = rows.observed[some]
            observed[:, k] = False
            filling = self._model.fill_hidden(Rows(rows.values[some], observed))
            filling = self._calibrated(filling)
            parts.append(self._encoding.surprise(values[some], k, *filling))
        return np.concatenate(parts)

    def _calibrated(self, filling):
        """Return a filling as it is: an imputer knows how far to trust it."""
        return filling

    def _squared_errors(self, rows, filling):
        """Return the squared error of every cell, (n_rows, n_columns)."""
        layout, n_numeric = self._encoding.layout(), len(self._encoding.numeric)
        numbers, codes = np.split(rows.values, [n_numeric], axis=1)
        indicators = codes[:, layout.level_column] == layout.level_code
        levels = (indicators - np.exp(filling.log_levels)) ** 2 @ layout.membership
        return np.concatenate([(numbers - filling.numbers) ** 2, levels], axis=1)

    def _log_density(self, values):
        """Return each row's log-density; a copy says no more than its source."""
        encoding = self._encoding
        rows, intervals = encoding.encode(values), encoding.intervals(values)
        density = self._model.log_density(rows, encoding.log_noise_floor(), intervals)
        return density + encoding.log_jacobian(values)
