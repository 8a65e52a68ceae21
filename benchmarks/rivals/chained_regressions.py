"""scikit-learn's chained regressions, with draws."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone

try:
    # Up to scikit-learn 1.9, IterativeImputer exists only after this import.
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
except ImportError:
    pass
from sklearn.impute import IterativeImputer


class ChainedRegressions(IterativeImputer):
    """`IterativeImputer`; draws are of one more, with ``sample_posterior=True``.

    That one is fitted when the first draws are asked for, with five rounds, and each of
    them is one run along its chain of regressions. (With ten, 40 draws of 57 columns
    take several minutes.)
    """

    def fit(self, X, y=None):
        self.fitted_on_, self.drawing_ = X, None
        return super().fit(X, y)

    def draw(self, X, n_draws, random_state=None):
        if self.drawing_ is None:
            drawing = clone(self).set_params(
                sample_posterior=True, max_iter=5, random_state=0
            )
            self.drawing_ = IterativeImputer.fit(drawing, self.fitted_on_)
        self.drawing_.random_state_ = np.random.RandomState(random_state)
        return [self.drawing_.transform(X) for _ in range(n_draws)]
