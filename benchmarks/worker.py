"""Fill a table in a process of its own: ``python -m benchmarks.worker METHOD GIB N``.

N is how many draws are made where the method draws.

It runs in a folder that holds ``incomplete.parquet`` and perhaps ``new.parquet``, and
writes its answers there. The truth is never sent: it is in no process, folder, argument
or variable that a method can reach from here, nor is the name of the table.
"""

from __future__ import annotations

import json
import os
import pickle
import platform
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.methods import Method, method_named
from benchmarks.problems import drawn_rows

PACKAGES = (
    "numpy",
    "pandas",
    "scikit-learn",
    "keras",
    "tensorflow",
    "torch",
    "lightgbm",
    "xgboost",
    "catboost",
    "hyperimpute",
    "miceforest",
    "gcimpute",
)
FAILURE = "failure.json"
MEASURED = "measured.json"


def main(name: str, max_gib: str, n_draws: str) -> None:
    try:
        limit_memory(float(max_gib))
        work(method_named(name), Path(), int(n_draws))
    except Exception as error:  # any failure of a method is a result
        text = {"type": type(error).__name__, "message": str(error)}
        Path(FAILURE).write_text(json.dumps(text))


def work(method: Method, folder: Path, n_draws: int) -> None:
    """Fill the tables of a folder, and write the answers and what they took there."""
    for module in method.imports:
        import_module(module)
    incomplete = pd.read_parquet(folder / "incomplete.parquet")
    base = resident_memory()
    imputer = method.make()
    filled, measured = timed_fill(imputer, incomplete)
    measured |= {"base_mib": base, "peak_mib": peak_memory()}
    _write(filled, incomplete, folder / "filled.parquet")
    measured |= _answer_more(imputer, incomplete, folder, "", n_draws)
    if (folder / "new.parquet").exists() and hasattr(imputer, "transform"):
        new = pd.read_parquet(folder / "new.parquet")
        filled, seconds = _timed(imputer.transform, new)
        measured["new_ms_per_1000"] = round(1e6 * seconds / len(new), 3)
        _write(filled, new, folder / "new_filled.parquet")
        measured |= _answer_more(imputer, new, folder, "new_", n_draws)
    if hasattr(imputer, "transform"):  # the others keep nothing
        measured |= _pickle_size(imputer)
    measured["environment"] = versions()
    (folder / MEASURED).write_text(json.dumps(measured))


def timed_fill(imputer: Any, incomplete: pd.DataFrame) -> tuple[Any, dict[str, Any]]:
    """Fit an imputer to a table, fill it, and return what that took.

    An imputer that takes no new rows has `fit_transform` alone.
    """
    started = _processor_seconds()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        if hasattr(imputer, "transform"):
            _, fit_seconds = _timed(imputer.fit, incomplete)
            filled, transform_seconds = _timed(imputer.transform, incomplete)
        else:
            filled, fit_seconds = _timed(imputer.fit_transform, incomplete)
            transform_seconds = 0.0
    return filled, {
        "fit_seconds": round(fit_seconds, 3),
        "transform_seconds": round(transform_seconds, 3),
        "processor_seconds": round(_processor_seconds() - started, 3),
        "warnings": sorted({warning.category.__name__ for warning in caught}),
    }


def _timed(function: Callable, *arguments: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def _processor_seconds() -> float:
    """Return what all cores have spent on this process, beside whatever else runs.

    Processes that it started count once they have ended.
    """
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _answer_more(
    imputer: Any, table: pd.DataFrame, folder: Path, prefix: str, n_draws: int
) -> dict[str, str]:
    """Write draws and probabilities, where the method has any; return what failed.

    A method that fills and fails to draw has failed to draw alone.
    """
    failed = {}
    answers = {
        "draws": partial(_write_draws, n_draws),
        "probabilities": _write_probabilities,
    }
    for name, answer in answers.items():
        try:
            answer(imputer, table, folder, prefix)
        except Exception as error:
            failed[f"{prefix}{name}_error"] = f"{type(error).__name__}: {error}"
    return failed


def _write_draws(
    n_draws: int, imputer: Any, table: pd.DataFrame, folder: Path, prefix: str
) -> None:
    if not hasattr(imputer, "draw") and not hasattr(imputer, "impute_multiple"):
        return
    is_number = table.columns.isin(table.select_dtypes("number").columns)
    draws = _draws(imputer, table, n_draws)
    _write(draws[0], table, folder / f"{prefix}drawn.parquet")
    numbers = [np.asarray(draw)[:, is_number] for draw in draws]
    np.save(folder / f"{prefix}draws.npy", np.array(numbers, dtype=np.float32))


def _write_probabilities(
    imputer: Any, table: pd.DataFrame, folder: Path, prefix: str
) -> None:
    numeric = table.select_dtypes("number").columns
    nominal = [name for name in table if name not in numeric]
    if not hasattr(imputer, "predict_proba") or not nominal:
        return
    answers = imputer.predict_proba(table)
    levels = {
        name: answers[name]
        .reindex(columns=table[name].cat.categories, fill_value=0.0)
        .to_numpy(dtype=np.float64)
        for name in nominal
    }
    np.savez(folder / f"{prefix}probabilities.npz", **levels)


def _draws(imputer: Any, table: pd.DataFrame, n_draws: int) -> list[pd.DataFrame]:
    """Return fillings of `drawn_rows`, fewer if they are dear."""
    rows = drawn_rows(len(table))
    if hasattr(imputer, "impute_multiple"):
        return imputer.impute_multiple(table.iloc[rows], n_draws, random_state=0)
    n_draws = min(n_draws, getattr(imputer, "max_draws", n_draws))
    if hasattr(imputer, "transform"):
        return imputer.draw(table.iloc[rows], n_draws, random_state=0)
    # It can draw the table that it was fitted on alone.
    return [draw.iloc[rows] for draw in imputer.draw(table, n_draws, random_state=0)]


def _write(filled: Any, table: pd.DataFrame, path: Path) -> None:
    """Write answers as a table, whatever container they are in."""
    columns = dict(zip(table, np.asarray(filled, dtype=object).T, strict=True))
    numeric = set(table.select_dtypes("number").columns)
    pd.DataFrame(
        {
            name: cells.astype(float)
            if name in numeric
            else pd.Categorical(cells, categories=table[name].cat.categories)
            for name, cells in columns.items()
        }
    ).to_parquet(path)


def versions() -> dict[str, str]:
    """Return the versions of what fillings depend on, where it is installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            pass
    return found


def _pickle_size(imputer: Any) -> dict[str, float]:
    """Return the MiB of a pickle; nothing if there is none."""
    try:
        return {"pickle_mib": round(len(pickle.dumps(imputer)) / 2**20, 3)}
    except Exception:  # each library has its own reasons
        return {}


def limit_memory(max_gib: float) -> None:
    """Let allocations beyond a limit fail, where the system can do so."""
    try:
        import resource  # not on Windows
    except ImportError:
        return
    # Not the address space: TensorFlow reserves far more of it than it uses.
    size = int(max_gib * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def peak_memory() -> float:
    """Return the most MiB that this process has had so far."""
    return _memory("VmHWM")


def resident_memory() -> float:
    """Return the MiB that this process has now."""
    return _memory("VmRSS")


def _memory(field: str) -> float:
    status = Path("/proc/self/status")
    if status.exists():
        # `ru_maxrss` also counts what the parent had before this program started.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return round(int(lines[field].split()[0]) / 2**10, 1)
    import resource  # not on Windows, where pages can still be written

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (2**20 if sys.platform == "darwin" else 2**10), 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
