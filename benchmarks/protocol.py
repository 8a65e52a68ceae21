"""One case: hide cells of a complete table, have a method fill them, score the filling.

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

from benchmarks.methods import Method
from vaeimpute.metrics import nrmse


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
    """Return the result of a case as a flat row; `error` is None if it succeeded."""
    truth = table.to_numpy(dtype=np.float64)
    hidden = hidden_cells(truth.shape, case.rate, case.mask)
    row = case._asdict() | {
        "n_rows": truth.shape[0],
        "n_columns": truth.shape[1],
        "n_hidden": int(hidden.sum()),
        "cells": _fingerprint(truth, hidden),
        "error": None,
    }
    try:
        filled, measured = execute(fill, method, table.mask(hidden))
        return row | {"rmse": nrmse(truth, filled, hidden)} | measured
    except Exception as error:  # any failure of a method is a result
        return row | {"error": f"{type(error).__name__}: {error}"}


def fill(method: Method, incomplete: pd.DataFrame) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the filled table and what filling it took."""
    for module in method.imports:
        import_module(module)
    imputer = method.make()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        start = time.perf_counter()
        imputer.fit(incomplete)
        fitted = time.perf_counter()
        filled = imputer.transform(incomplete)
        end = time.perf_counter()
    return np.asarray(filled, dtype=np.float64), {
        "fit_seconds": round(fitted - start, 3),
        "transform_seconds": round(end - fitted, 3),
        "warnings": sorted({warning.category.__name__ for warning in caught}),
    }


def _fingerprint(truth: np.ndarray, hidden: np.ndarray) -> str:
    """Tell tables and hidden cells apart: rows of one table may come in two orders."""
    content = np.ascontiguousarray(truth).tobytes() + hidden.tobytes()
    return hashlib.sha256(content).hexdigest()[:12]


def read_rows(path: Path) -> dict[Case, dict[str, Any]]:
    """Return the rows of a file of JSON lines by their case; no file, no rows."""
    rows = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:  # cut short by a power failure, say
            raise ValueError(f"{path}, line {number}: {error}; delete it") from error
        case = Case(row["dataset"], row["rate"], row["mask"], row["method"])
        rows[case] = row
    return rows
