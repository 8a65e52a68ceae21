"""Scores of what a method has answered, beside the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import (
    ColumnTransformer,
    make_column_selector,
    make_column_transformer,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from benchmarks.downstream import downstream, references
from benchmarks.problems import Part, Problem, drawn_rows
from vaeimpute import metrics

#: Draws below which the ends of a 95 % interval are no quantiles of theirs.
_LEAST_INTERVAL_DRAWS = 39


@dataclass(frozen=True, eq=False)
class Answers:
    """What a method answered for one part of a problem.

    Attributes
    ----------
    filled : DataFrame
    drawn : DataFrame or None
        The rows of `drawn_rows`, filled by a draw.
    draws : array of shape (n_draws, n_drawn_rows, n_numeric), or None
    probabilities : dict of column to array of shape (n_rows, n_levels), or None
    """

    filled: pd.DataFrame
    drawn: pd.DataFrame | None = None
    draws: np.ndarray | None = None
    probabilities: dict[str, np.ndarray] | None = None

    @classmethod
    def read(cls, folder: Path, prefix: str) -> Answers | None:
        """Read what the worker wrote; None if it has not filled this part."""
        filled = folder / f"{prefix}filled.parquet"
        drawn = folder / f"{prefix}drawn.parquet"
        draws = folder / f"{prefix}draws.npy"
        probabilities = folder / f"{prefix}probabilities.npz"
        if not filled.exists():
            return None
        return cls(
            pd.read_parquet(filled),
            pd.read_parquet(drawn) if drawn.exists() else None,
            np.load(draws) if draws.exists() else None,
            dict(np.load(probabilities)) if probabilities.exists() else None,
        )


def scores(problem: Problem, answers: dict[str, Answers]) -> dict[str, float]:
    """Return all scores; those of new rows begin with ``new_``."""
    scored = {}
    unit = standard_deviations(problem.fitted)
    for prefix, given in answers.items():
        part = problem.parts[prefix]
        found = {**of_cells(part, given, unit), **of_rows(part, given)}
        scored |= {prefix + name: score for name, score in found.items()}
    if "new_" in answers and problem.fitted.target is not None:
        scored |= downstream(problem, *(given.filled for given in answers.values()))
        scored |= references(problem)
    return scored


def of_cells(part: Part, given: Answers, unit: np.ndarray) -> dict[str, float]:
    """Return the scores of the hidden cells, of numbers and of levels."""
    found, truth, filled = {}, part.truth, part.coded(given.filled)
    numbers, levels = part.hidden & ~part.nominal, part.hidden & part.nominal
    if numbers.any():
        found["rmse"] = metrics.nrmse(truth, filled, numbers, unit)
        found["mae"] = metrics.mae(truth, filled, numbers, unit)
        found["skill"] = float(np.nanmean(metrics.skill(truth, filled, numbers)))
    if levels.any():
        found["accuracy"] = metrics.accuracy(truth, filled, levels)
    if levels.any() and given.probabilities is not None:
        of_column = iter(given.probabilities.values())
        found["log_loss"] = metrics.log_loss(
            truth, [next(of_column) if x else None for x in part.nominal], levels
        )
    if numbers.any() and given.draws is not None:
        found |= of_draws(part.taken(drawn_rows(len(part.rows))), given.draws, unit)
    return found


def of_draws(part: Part, draws: np.ndarray, unit: np.ndarray) -> dict[str, float]:
    """Return the scores of the distributions of hidden numbers."""
    numeric = ~part.nominal
    drawn = part.truth[:, numeric], draws, part.hidden[:, numeric]
    found = {"crps": metrics.crps(*drawn, unit[numeric])}
    if len(draws) >= _LEAST_INTERVAL_DRAWS:
        found["coverage"] = metrics.coverage(*drawn)
        found["interval_score"] = metrics.interval_score(*drawn, scale=unit[numeric])
    return found


def of_rows(part: Part, given: Answers) -> dict[str, float]:
    """Return how far the distribution of whole rows is from the true one.

    The rows are those that are known whole; a draw stands for a method that can draw.
    """
    at = drawn_rows(len(part.rows))
    some = part.taken(at)
    filled = given.filled.iloc[at] if given.drawn is None else given.drawn
    known = some.rows.notna().all(axis=1).to_numpy()
    true, completed = some.rows[known], some.completed(filled)[known]
    encoder = _distance_encoder().fit(true)
    distance = metrics.energy_distance(
        encoder.transform(true), encoder.transform(completed)
    )
    return {"energy_distance": distance}


def standard_deviations(part: Part) -> np.ndarray:
    """Return the unit of the errors of each column: that of the fitted rows."""
    known = ~np.isnan(part.truth)
    spread = np.nanstd(np.where(known, part.truth, np.nan), axis=0)
    is_constant = np.nanmax(part.truth, axis=0) == np.nanmin(part.truth, axis=0)
    return np.where(is_constant, 0.0, spread)


def _distance_encoder() -> ColumnTransformer:
    """Standardise numbers, and let two different levels be one apart."""
    indicators = make_pipeline(
        OneHotEncoder(sparse_output=False, handle_unknown="ignore"),
        FunctionTransformer(partial(np.multiply, np.sqrt(0.5))),
    )
    return make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include="number")),
        (indicators, make_column_selector(dtype_include="category")),
    )
