"""Chained equations by random forests, from the library miceforest, as a rival."""

from __future__ import annotations

import pandas as pd
from sklearn.base import BaseEstimator


class MiceForest(BaseEstimator):
    """Fill a table by the mean of several chains of miceforest.

    Its authors mean chains to be pooled, not one of them to be taken for the truth:
    numbers are filled by their mean over five chains and levels by the most frequent
    one. Each has the library's five rounds. To fill, the chains go from prediction to
    prediction, as the library offers for the purpose (no candidates to match): the
    mean is then closer to the truth than that of as many draws. To draw, they take the
    value of one of the five rows whose predictions are closest, the library's default.

    Parameters
    ----------
    n_datasets : int
        Chains to pool.
    n_iter : int
        Rounds of each chain.
    mean_match_candidates : int
        Closest rows to choose from when filling; 0 takes the predictions themselves.
    n_jobs : int or None
        Threads of LightGBM; None is one: on a busy machine more wait for each other.
    random_state : int

    Notes
    -----
    miceforest 6.0.5 does not fill new rows: ``impute_new_data`` returns the random
    values that it starts from, as it never counts the rounds it has done.
    """

    #: Each is a chain of its own, which takes as long as one of the fit.
    max_draws = 5

    def __init__(
        self,
        n_datasets=5,
        n_iter=5,
        mean_match_candidates=0,
        n_jobs=None,
        random_state=0,
    ):
        self.n_datasets = n_datasets
        self.n_iter = n_iter
        self.mean_match_candidates = mean_match_candidates
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit_transform(self, X, y=None):
        matching = {"mean_match_candidates": self.mean_match_candidates}
        chains = self._ends(X, self.n_datasets, self.random_state, **matching)
        return X.fillna(_pooled(chains))

    def draw(self, X, n_draws, random_state):
        """Return completed tables, each the end of a chain of its own."""
        return self._ends(X, n_draws, random_state)

    def _ends(self, X, n_chains, random_state, **settings):
        """Return the tables in which chains end."""
        from miceforest import ImputationKernel

        # LightGBM accepts no names with some signs, and miceforest no repeated index.
        names = [f"column_{j}" for j in range(X.shape[1])]
        kernel = ImputationKernel(
            X.set_axis(names, axis=1).reset_index(drop=True),
            num_datasets=n_chains,
            save_all_iterations_data=False,
            random_state=random_state,
            **settings,
        )
        kernel.mice(self.n_iter, num_threads=self.n_jobs or 1)
        tables = [kernel.complete_data(k) for k in range(n_chains)]
        return [x.set_axis(X.columns, axis=1).set_axis(X.index) for x in tables]


def _pooled(tables) -> pd.DataFrame:
    """Return the means of the numbers and the most frequent of the levels."""
    pooled = tables[0].copy()
    for name, column in pooled.items():
        answers = pd.concat([table[name] for table in tables], axis=1)
        if isinstance(column.dtype, pd.CategoricalDtype):
            pooled[name] = answers.mode(axis=1)[0].astype(column.dtype)
        else:
            pooled[name] = answers.mean(axis=1)
    return pooled
