"""missForest (Stekhoven & Bühlmann 2012) on scikit-learn's forests, as a rival."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor


class MissForest(TransformerMixin, BaseEstimator):
    """Fill each column by a forest grown on all others, over and over.

    Columns start from their mean or most frequent level and are taken by the number of
    their missing cells, the fewest first. Rounds end when the filled cells move more
    than in the round before, which is then returned (algorithm 1 of the paper). Nominal
    columns are classified, and enter the others' forests as indicators.

    New rows are filled by the forests of the round that was kept, from the same start,
    as many times over.

    Parameters
    ----------
    n_estimators : int
        Full trees of each forest.
    max_features : float
        Share of the columns tried at each split.
    max_iter : int
        Rounds at most.
    n_jobs : int or None
    random_state : int or None
    """

    def __init__(
        self,
        n_estimators=100,
        max_features=1 / 3,
        max_iter=10,
        n_jobs=None,
        random_state=None,
    ):
        self.n_estimators = n_estimators
        self.max_features = max_features
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y=None):
        n_missing = X.isna().sum().sort_values(kind="stable")
        # Also complete columns: new rows may lack what these never did.
        self.order_ = list(n_missing.index)
        self.start_ = {name: _usual(column) for name, column in X.items()}
        self.dtypes_ = X.dtypes
        filled, moved = self._started(X), (np.inf, np.inf)
        self.forests_, self.n_rounds_ = {}, 0
        for _ in range(self.max_iter):
            following, forests = self._round(X, filled)
            before, moved = moved, _moves(X.isna(), filled, following)
            if self.forests_ and not np.any(np.less(moved, before)):
                break
            filled, self.forests_ = following, forests
            self.n_rounds_ += 1
        self.filled_, self.fitted_on_ = filled, X
        return self

    def transform(self, X):
        if X.equals(self.fitted_on_):
            return self.filled_.copy()
        filled = self._started(X)
        for _ in range(self.n_rounds_):
            for name in self.order_:
                missing = X[name].isna().to_numpy()
                if missing.any():
                    answers = self.forests_[name].predict(
                        _inputs(filled, name)[missing]
                    )
                    filled[name] = _with(filled[name], missing, answers)
        return filled

    def predict_proba(self, X):
        """Return the shares of each nominal column's trees, by the name of the column.

        A level that no leaf has counts as 0.001.
        """
        filled, shares = self.transform(X), {}
        for name in _nominal(X):
            forest = self.forests_[name]
            answers = np.maximum(forest.predict_proba(_inputs(filled, name)), 1e-3)
            answers /= answers.sum(axis=1, keepdims=True)
            shares[name] = pd.DataFrame(answers, X.index, forest.classes_)
        return shares

    def _round(self, X, filled):
        """Return the table filled once more, and the forests that did it."""
        filled, forests = filled.copy(), {}
        for name in self.order_:
            missing = X[name].isna().to_numpy()
            inputs = _inputs(filled, name)
            forest = self._forest(X[name]).fit(inputs[~missing], X[name][~missing])
            forests[name] = forest
            if missing.any():
                answers = forest.predict(inputs[missing])
                filled[name] = _with(filled[name], missing, answers)
        return filled, forests

    def _forest(self, column):
        kind = RandomForestClassifier if _is_nominal(column) else RandomForestRegressor
        return kind(
            self.n_estimators,
            max_features=self.max_features,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
        )

    def _started(self, X):
        return X.fillna(self.start_)


def _is_nominal(column) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype)


def _usual(column):
    return column.mode().iloc[0] if _is_nominal(column) else column.mean()


def _inputs(filled, name) -> np.ndarray:
    """Return what the forest of a column sees: all others, levels as indicators."""
    return pd.get_dummies(filled.drop(columns=name), dtype=float).to_numpy()


def _with(column, missing, answers):
    """Return the column with answers in its missing cells."""
    column = column.copy()
    column[missing] = answers
    return column


def _moves(missing, before, after) -> tuple[float, float]:
    """Return how far numbers moved, relative to their squares, and levels, as a share.

    The paper's two criteria; a kind that has no missing cell does not move.
    """
    squares = moved = changed = 0.0
    n_levels = max(int(missing.loc[:, _nominal(after)].to_numpy().sum()), 1)
    for name in after:
        gap = missing[name].to_numpy()
        old, new = before[name][gap], after[name][gap]
        if _is_nominal(after[name]):
            changed += float((old != new).sum())
        else:
            moved += float(((old - new) ** 2).sum())
            squares += float((new**2).sum())
    return moved / max(squares, 1e-300), changed / n_levels


def _nominal(table) -> list:
    return [name for name in table if _is_nominal(table[name])]
