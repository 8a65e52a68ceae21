"""What the estimators share whose model is a `VAEImputer`."""

from __future__ import annotations

from typing import ClassVar

from sklearn.base import clone

from vaeimpute._base import TableEstimator
from vaeimpute._imputer import VAEImputer


class ImputerBased(TableEstimator):
    """An estimator that asks questions of a `VAEImputer` that it fits.

    Subclasses store the parameters `imputer`, an unfitted one with the settings of the
    model, and `random_state`.
    """

    _parameter_constraints: ClassVar[dict] = {
        "imputer": [VAEImputer, None],
        "random_state": ["random_state"],
    }

    def _new_imputer(self):
        """Return an imputer to fit, with this estimator's seed if it has one."""
        imputer = VAEImputer() if self.imputer is None else clone(self.imputer)
        # No column is dropped, so that there is none to warn of.
        imputer.set_params(keep_empty_features=True)
        if self.random_state is not None:
            imputer.set_params(random_state=self.random_state)
        return imputer
