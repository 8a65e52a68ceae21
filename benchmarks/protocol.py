"""One case: hide observed cells of a table, have a method fill them, score the filling.

The method sees nothing but the incomplete table. By default it works in a process of
its own, into which the truth is never sent: each fit starts cold, with everything that
is compiled counted in its seconds, and a crash takes nothing else with it.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from benchmarks.methods import Method
from vaeimpute.metrics import accuracy, nrmse

# Scores by their key in a result, and what they are called in reports.
METRICS = {"rmse": "RMSE", "accuracy": "accuracy"}


class Case(NamedTuple):
    """The key of a result: `rate` is the share of hidden cells, `mask` their seed."""

    dataset: str
    rate: float
    mask: int
    method: str

    def __str__(self) -> str:
        return f"{self.dataset} {self.rate:.0%} mask {self.mask} {self.method}"


def hidden_cells(shape: tuple[int, int], rate: float, mask: int) -> np.ndarray:
    """Return which cells to hide, completely at random: the same for all methods."""
    return np.random.default_rng(mask).random(shape) < rate


def in_fresh_process(function: Callable, *arguments: Any) -> Any:
    """Call a function in a new process and return what it returns or raises."""
    # Forking would copy the state of this process, which is neither cold nor safe.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


def run_case(
    case: Case,
    table: pd.DataFrame,
    method: Method,
    execute: Callable = in_fresh_process,
) -> dict[str, Any]:
    """Return the result of a case as a flat row; `error` is None if it succeeded.

    Columns of `table` are numeric or categories. Cells that are missing in it stay so,
    and are not scored: nobody knows them.
    """
    truth = _coded(table, table)
    hidden = hidden_cells(truth.shape, case.rate, case.mask) & ~np.isnan(truth)
    row = case._asdict() | {
        "n_rows": truth.shape[0],
        "n_columns": truth.shape[1],
        "n_hidden": int(hidden.sum()),
        "cells": _fingerprint(truth, hidden),
        "error": None,
    }
    try:
        filled, measured = execute(fill, method, table.mask(hidden))
        return row | _scores(table, truth, _coded(filled, table), hidden) | measured
    except Exception as error:  # any failure of a method is a result
        return row | {"error": f"{type(error).__name__}: {error}"}


def fill(method: Method, incomplete: pd.DataFrame) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the filled table and what filling it took."""
    for module in method.imports:
        import_module(module)
    filled, measured = timed_fill(method.make(), incomplete)
    return np.asarray(filled), measured


def timed_fill(imputer: Any, incomplete: pd.DataFrame) -> tuple[Any, dict[str, Any]]:
    """Fit an imputer to a table, fill it, and return what that took."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        start = time.perf_counter()
        imputer.fit(incomplete)
        fitted = time.perf_counter()
        filled = imputer.transform(incomplete)
        end = time.perf_counter()
    return filled, {
        "fit_seconds": round(fitted - start, 3),
        "transform_seconds": round(end - fitted, 3),
        "warnings": sorted({warning.category.__name__ for warning in caught}),
    }


def _coded(cells: ArrayLike, table: pd.DataFrame) -> np.ndarray:
    """Return numbers as they are and levels as codes of the table's categories."""
    coded = np.full(table.shape, np.nan)
    for j, column in enumerate(np.asarray(cells).T):
        if isinstance(dtype := table.dtypes.iloc[j], pd.CategoricalDtype):
            codes = dtype.categories.get_indexer(column)
            coded[codes >= 0, j] = codes[codes >= 0]
        else:
            coded[:, j] = column
    return coded


def _scores(
    table: pd.DataFrame, truth: np.ndarray, filled: np.ndarray, hidden: np.ndarray
) -> dict[str, float]:
    """Return the RMSE of numeric columns and the accuracy of nominal ones, if any."""
    nominal = (table.dtypes == "category").to_numpy()
    scores = {}
    if not nominal.all():
        scores["rmse"] = nrmse(truth, filled, hidden & ~nominal)
    if nominal.any():
        scores["accuracy"] = accuracy(truth, filled, hidden & nominal)
    return scores


def _fingerprint(truth: np.ndarray, hidden: np.ndarray) -> str:
    """Tell tables and hidden cells apart: rows of one table may come in two orders."""
    content = np.ascontiguousarray(truth).tobytes() + hidden.tobytes()
    return hashlib.sha256(content).hexdigest()[:12]


def read_rows(path: Path) -> dict[Case, dict[str, Any]]:
    """Return the rows of a file of JSON lines by their case; no file, no rows."""
    rows = read_lines(path)
    return {Case(*(row[field] for field in Case._fields)): row for row in rows}


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines; no file, no rows."""
    rows = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:  # cut short by a power failure, say
            raise ValueError(f"{path}, line {number}: {error}; delete it") from error
    return rows


def append_line(path: Path, row: dict[str, Any]) -> None:
    """Write a row at the end of a file of JSON lines, at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
