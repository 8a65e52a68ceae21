"""Intervals and probabilities: as often right as they say, and no wider than they need.

A method is fitted to a table with hidden cells and says between which ends each hidden
number lies, and how likely each level is.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import markdown
from benchmarks.methods import method_named
from benchmarks.problems import Problem
from benchmarks.suites import SUITES
from benchmarks.uses.study import Study

LEVELS = (0.8, 0.9, 0.95)

#: Draws of which quantiles are taken, where a method has no intervals.
N_DRAWS = 200

#: Cells of a column that its own coverage is read from, at least, and how far off it
#: may be besides three standard errors.
LEAST_CELLS, TOLERANCE = 200, 0.015

#: Bins of probabilities in results, and bins of equal size in reports.
N_FINE, N_BINS = 400, 15

METHODS = ("vae", "em-gaussian")
MASKS = (0, 1, 2)


def cases():
    tables = SUITES["headline"].datasets
    for mask, dataset in itertools.product(MASKS, tables):
        for method in METHODS:
            yield dataset, method, mask


def solve(
    dataset: str, method: str, mask: int, folder: Path | None = None
) -> dict[str, object]:
    suite = SUITES["headline"]
    table = suite.load(dataset, folder)
    part = Problem.of(table, "mcar", 0.3, mask, suite.new_share).fitted
    imputer = method_named(method).make().fit(part.incomplete)
    found = {}
    if not part.nominal.all():
        found |= of_intervals(part, ends_of(imputer, part))
    if part.nominal.any() and hasattr(imputer, "predict_proba"):
        found |= of_probabilities(part, imputer.predict_proba(part.incomplete))
    return found


def ends_of(imputer, part) -> dict[float, np.ndarray]:
    """Return lower and upper ends of all numbers at each level."""
    numeric = ~part.nominal
    if hasattr(imputer, "predict_interval"):
        return {
            level: np.array(
                [
                    part.coded(end)[:, numeric]
                    for end in imputer.predict_interval(part.incomplete, level)
                ]
            )
            for level in LEVELS
        }
    draws = imputer.draw(part.incomplete, N_DRAWS, random_state=0)
    numbers = np.array([part.coded(draw)[:, numeric] for draw in draws])
    return {
        level: np.quantile(
            numbers, [0.5 - level / 2, 0.5 + level / 2], axis=0, method="weibull"
        )
        for level in LEVELS
    }


def of_intervals(part, ends: dict[float, np.ndarray]) -> dict[str, object]:
    """Return coverage and interval scores at each level, and which columns are off."""
    numeric = ~part.nominal
    truth, hidden = part.truth[:, numeric], part.hidden[:, numeric]
    unit = np.nanstd(truth, axis=0)
    found = {"n_numbers": int(hidden.sum())}
    for level, (lower, upper) in ends.items():
        inside = (lower <= truth) & (truth <= upper)
        missed = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
        score = (upper - lower + 2 / (1 - level) * missed) / np.where(unit, unit, 1)
        scored = [j for j in range(len(unit)) if hidden[:, j].sum() >= LEAST_CELLS]
        off = [j for j in scored if _is_off(inside[hidden[:, j], j], level)]
        found |= {
            f"coverage_{level}": float(inside[hidden].mean()),
            f"interval_score_{level}": float(score[hidden].mean()),
            f"columns_{level}": len(scored),
            f"columns_off_{level}": len(off),
        }
    return found


def _is_off(inside: np.ndarray, level: float) -> bool:
    error = np.sqrt(level * (1 - level) / len(inside))
    return abs(inside.mean() - level) > TOLERANCE + 3 * error


def of_probabilities(part, answers: dict) -> dict[str, object]:
    """Return how often the likeliest level is right, by how likely it was said to be.

    In fine bins of that probability: cells, the sum of their probabilities, and how
    many were right.
    """
    confidences, hits = [], []
    for j, answer in zip(np.flatnonzero(part.nominal), answers.values(), strict=True):
        at = part.hidden[:, j]
        levels = part.rows.dtypes.iloc[j].categories.get_indexer(answer.columns)
        probabilities = answer.to_numpy()[at]
        confidences.append(probabilities.max(axis=1))
        hits.append(levels[probabilities.argmax(axis=1)] == part.truth[at, j])
    confidence, hit = np.concatenate(confidences), np.concatenate(hits)
    place = np.minimum((confidence * N_FINE).astype(int), N_FINE - 1)
    sums = [
        np.bincount(place, weight, N_FINE).round(4).tolist()
        for weight in (np.ones(len(hit)), confidence, hit)
    ]
    return {"n_levels_said": len(hit), "bins": sums}


def calibration_error(bins: np.ndarray) -> float:
    """Return the mean gap of said and true probability over bins of equal size.

    Parameters
    ----------
    bins : ndarray of shape (3, n_fine)
        Cells, sums of their probabilities and hits, of fine bins.
    """
    cells = bins[0].sum()
    # A fine bin goes where its middle is.
    middle = (np.cumsum(bins[0]) - 0.5 * bins[0]) / cells
    place = np.minimum((middle * N_BINS).astype(int), N_BINS - 1)
    _, said, right = (np.bincount(place, row, N_BINS) for row in bins)
    return float(np.abs(said - right).sum() / cells)


def render(rows: pd.DataFrame) -> str:
    parts = []
    for level in LEVELS:
        lines = [_line(name, some, level) for name, some in rows.groupby("method")]
        header = ["method", "coverage", "columns off", "interval score ÷ vae"]
        ratios = _ratios(rows, level)
        lines = [[*line, markdown.number(ratios[line[0]])] for line in lines]
        parts += [f"At {level:.0%}:", "", markdown.table(header, lines), ""]
    said = rows.dropna(subset=["bins"])
    if len(said):
        lines = []
        for method, some in said.groupby("method"):
            pooled = np.sum(some["bins"].tolist(), axis=0)
            error = f"{calibration_error(pooled):.4f}"
            lines.append([method, f"{pooled[0].sum():,.0f}", error])
        header = ["method", "cells", "calibration error of the likeliest level"]
        parts += [f"In {N_BINS} bins of equal size:", ""]
        parts += [markdown.table(header, lines), ""]
    return "\n".join(parts)


def _line(method: str, some: pd.DataFrame, level: float) -> list[str]:
    share = np.average(some[f"coverage_{level}"], weights=some["n_numbers"])
    off, scored = some[f"columns_off_{level}"].sum(), some[f"columns_{level}"].sum()
    return [method, f"{share:.3f}", f"{off:.0f} of {scored:.0f}"]


def _ratios(rows: pd.DataFrame, level: float) -> pd.Series:
    """Return geometric means of interval scores over those of `vae`."""
    wide = rows.pivot_table(
        index=["dataset", "mask"], columns="method", values=f"interval_score_{level}"
    ).dropna()
    return np.exp(np.log(wide.div(wide["vae"], axis=0)).mean())


STUDY = Study(
    "intervals",
    ("dataset", "method", "mask"),
    cases,
    solve,
    render,
    "uncertainty.md",
    takes_folder=True,
)
