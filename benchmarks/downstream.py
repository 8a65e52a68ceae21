"""What filling is for: how well a model that is trained on filled rows predicts."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.problems import Problem


def downstream(
    problem: Problem, fitted: pd.DataFrame, new: pd.DataFrame
) -> dict[str, float]:
    """Return scores on new rows of models trained on rows that methods were fitted on.

    R² of a number; of a class, the area under the ROC curve, each level against the
    rest.
    """
    target, truth = problem.fitted.target, problem.new.target
    is_class = isinstance(target.dtype, pd.CategoricalDtype)
    scored = {}
    # Threads that wait for each other make boosting ten times slower on busy machines.
    with threadpool_limits(1):
        for name, model in _models(is_class).items():
            model.fit(fitted, target)
            if is_class:
                answers = model.predict_proba(new)
                score = _area_under_curve(truth, answers, model.classes_)
            else:
                score = r2_score(truth, model.predict(new))
            scored[f"downstream_{name}"] = float(score)
    return scored


@lru_cache(maxsize=1)  # all methods of a problem have the same
def references(problem: Problem) -> dict[str, float]:
    """Return the scores without gaps, and those of models that bear gaps.

    Boosting does so of itself. The regression is given column means, and indicators of
    what is missing.
    """
    parts = problem.parts.values()
    complete = downstream(problem, *(part.rows for part in parts))
    native = downstream(problem, *(part.incomplete for part in parts))
    return {f"{name}_complete": score for name, score in complete.items()} | {
        f"{name}_native": score for name, score in native.items()
    }


def _models(is_class: bool) -> dict[str, BaseEstimator]:
    boosting, regression = HistGradientBoostingRegressor, Ridge()
    if is_class:
        boosting = HistGradientBoostingClassifier
        regression = LogisticRegression(max_iter=1_000)
    encoder = make_column_transformer(
        (
            make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            OneHotEncoder(handle_unknown="ignore"),
            make_column_selector(dtype_include="category"),
        ),
    )
    return {
        "boosting": boosting(random_state=0),
        "linear": make_pipeline(encoder, regression),
    }


def _area_under_curve(truth: pd.Series, answers, classes) -> float:
    if len(classes) == 2:
        return roc_auc_score(truth == classes[1], answers[:, 1])
    # A level that no new row has says nothing.
    seen = [k for k, level in enumerate(classes) if (truth == level).any()]
    areas = [roc_auc_score(truth == classes[k], answers[:, k]) for k in seen]
    return sum(areas) / len(areas)
