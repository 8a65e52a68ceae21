"""Tell outliers in tables whose cells may be missing: `VAEOutlierDetector`."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import OutlierMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from vaeimpute._imputer_based import ImputerBased

#: Rows drawn from the model to learn what density is to be expected, and patterns of
#: missing cells for which they are scored together.
_DRAWN_ROWS = 16
_PATTERNS_AT_ONCE = 256


class VAEOutlierDetector(OutlierMixin, ImputerBased):
    """Detect outliers with a variational autoencoder.

    A row is judged by the density of its observed cells under the model that
    `VAEImputer` learns of the table, so that neither training rows nor new ones need
    be complete, and columns may be of any kind.

    Parameters
    ----------
    imputer : VAEImputer or None, default=None
        Settings of the model; it is not fitted itself. None means ``VAEImputer()``.
    contamination : float, default=0.1
        Share of outliers among the training rows, above 0 and up to 0.5.
    random_state : int, RandomState instance or None, default=None
        Seed in place of that of `imputer`; None leaves it to that.

    Attributes
    ----------
    imputer_ : VAEImputer
        The fitted model; its `cell_scores` tell which cells make a row an outlier.
    offset_ : float
        Score below which a row is an outlier: the `contamination` quantile of the
        training rows' scores.
    n_features_in_ : int
        Columns seen at `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if all are strings.

    See Also
    --------
    VAEImputer.score_samples : The log-density itself.
    VAEImputer.cell_scores : How unusual each cell is given the rest of its row.
    sklearn.ensemble.IsolationForest : Outliers of complete tables of numbers.

    Notes
    -----
    Densities of rows with different cells observed do not compare: that of fewer cells
    is higher where a cell's density is mostly below one, else lower. `score_samples`
    so takes from each log-density what the model expects of a row with the same cells
    observed, minus their entropy. Whatever is missing then counts as an average cell
    would, and the same error costs a row with gaps as much as a complete one; yet the
    less is observed of a row, the less can speak against it. With a complete table,
    the expectation is one number and the order of the rows is that of their densities.

    The expectation is a mean over 16 rows drawn from the model, the same for every
    pattern of missing cells. Scoring them takes longer than the table where nearly
    every row has a pattern of its own.

    References
    ----------
    An & Cho (2015), *Variational autoencoder based anomaly detection using
    reconstruction probability*. Here the density is bounded by importance weighting
    (Burda, Grosse & Salakhutdinov 2016, eq. 8).

    Examples
    --------
    >>> from vaeimpute import VAEImputer, VAEOutlierDetector
    >>> from vaeimpute.datasets import load_penguins
    >>> penguins = load_penguins()
    >>> penguins.loc[7, "body_mass_g"] = 40_000  # grams, with a zero too many
    >>> linear = VAEImputer(hidden_layer_sizes=(), random_state=0)
    >>> detector = VAEOutlierDetector(linear, contamination=0.01).fit(penguins)
    >>> int(detector.score_samples(penguins).argmin())
    7
    >>> int(detector.predict(penguins)[7])
    -1
    >>> bool(detector.decision_function(penguins)[7] < 0)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **ImputerBased._parameter_constraints,
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
    }

    def __init__(self, imputer=None, *, contamination=0.1, random_state=None):
        self.imputer = imputer
        self.contamination = contamination
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Learn what rows are usual.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Whatever `VAEImputer` takes, missing cells included.
        y : ignored

        Returns
        -------
        self : VAEOutlierDetector

        Raises
        ------
        ValueError, TypeError
            As `VAEImputer.fit`.
        """
        with self._all_or_nothing():
            X = self._check_table(X, reset=True)
            self.imputer_ = self._new_imputer().fit(X)
            self.offset_ = float(np.quantile(self._scores(X), self.contamination))
        return self

    def score_samples(self, X):
        """Return each row's log-density, relative to what is expected of such rows.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Nats, the lower the more unusual: log-density of the observed cells minus
            its mean over rows of the model with the same cells observed. 0 for a row
            with nothing observed. Levels that `fit` has not seen count as missing.
        """
        check_is_fitted(self)
        return self._scores(self._check_table(X))

    def decision_function(self, X):
        """Return how much more usual each row is than the least usual inlier.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order.

        Returns
        -------
        decisions : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``: negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Return which rows are outliers.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order.

        Returns
        -------
        labels : int ndarray of shape (n_samples,)
            -1 for outliers, 1 for all others.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _scores(self, X):
        values = self.imputer_._schema.read(X)[0]
        density = self.imputer_._log_density(values)
        return density - self._expected_density(np.isnan(values))

    def _expected_density(self, missing):
        """Return the mean log-density of drawn rows in which the same is missing.

        The draws are the same for all patterns, so that their luck is shared: only
        that of the cells in which two patterns differ tells them apart.
        """
        encoding, model = self.imputer_._encoding, self.imputer_._model
        draws = model.sample(_DRAWN_ROWS, np.random.default_rng(0))
        unknown = np.full((_DRAWN_ROWS, missing.shape[1]), np.nan)
        rows = encoding.decode_draws(unknown, *draws)
        patterns, which = np.unique(missing, axis=0, return_inverse=True)
        expected = np.empty(len(patterns))
        for start in range(0, len(patterns), _PATTERNS_AT_ONCE):
            some = slice(start, start + _PATTERNS_AT_ONCE)
            tables = np.where(patterns[some, None], np.nan, rows)
            density = self.imputer_._log_density(tables.reshape(-1, rows.shape[1]))
            expected[some] = density.reshape(-1, _DRAWN_ROWS).mean(axis=1)
        return expected[which.reshape(-1)]  # NumPy 2.0 alone gives it two axes
