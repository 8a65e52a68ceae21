"""Run a suite of cases: ``python -m benchmarks.run --suite numeric --data DIR``.

Each finished case is one JSON line of the output file, written at once; cases that
have a line already are not run again, so that a run can be stopped and resumed.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

import vaeimpute
from benchmarks.datasets import load, nominal_part, numeric_part
from benchmarks.methods import METHODS, Method
from benchmarks.protocol import (
    METRICS,
    Case,
    append_line,
    in_fresh_process,
    read_rows,
    run_case,
)

PACKAGES = ("numpy", "pandas", "scikit-learn", "keras", "tensorflow")
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Suite:
    """A grid of cases on a part of the columns and rows of tables.

    `part` takes a table and `max_rows`; `metric` is the score that is reported.
    """

    datasets: tuple[str, ...]
    rates: tuple[float, ...]
    masks: tuple[int, ...]
    methods: tuple[str, ...]
    max_rows: int
    part: Callable[[pd.DataFrame, int], pd.DataFrame] = numeric_part
    metric: str = "rmse"


SUITES = {
    "numeric": Suite(
        datasets=("california", "concrete", "banknote", "wdbc", "letter"),
        rates=(0.3,),
        masks=(0, 1, 2, 3, 4),
        methods=("mean", "iterative", "vae"),
        max_rows=6_000,
    ),
    "nominal": Suite(
        datasets=("mushroom", "nursery", "car", "vote", "soybean"),
        rates=(0.3,),
        masks=(0, 1, 2),
        methods=("mode", "iterative", "knn", "knn-distance", "vae"),
        max_rows=6_000,
        part=nominal_part,
        metric="accuracy",
    ),
}


def run(
    cases: Iterable[Case],
    tables: dict[str, pd.DataFrame],
    path: Path,
    methods: dict[str, Method] = METHODS,
    execute: Callable = in_fresh_process,
) -> None:
    """Append the rows of all cases that the file at `path` does not hold yet."""
    done = read_rows(path)
    cases = [case for case in cases if case not in done]
    context = environment()
    for number, case in enumerate(cases, start=1):
        row = run_case(case, tables[case.dataset], methods[case.method], execute)
        append_line(path, row | {"environment": context})
        print(f"[{number}/{len(cases)}] {case}: {_outcome(row)}", flush=True)


def _outcome(row: dict[str, Any]) -> str:
    """Return the error of a case, or its scores and seconds, as text."""
    if row["error"]:
        return row["error"]
    scores = [f"{label} {row[key]:.4f}" for key, label in METRICS.items() if key in row]
    return ", ".join([*scores, f"{row['fit_seconds']:.1f} s"])


def environment() -> dict[str, Any]:
    """Return what figures may depend on: versions, code and processor cores."""
    return {
        "vaeimpute": vaeimpute.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "cores": joblib.cpu_count(),
    }


def _commit() -> str:
    """Return the commit of the code, marked if files have changed since."""
    command = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"]
    silent = subprocess.DEVNULL
    try:
        return subprocess.check_output(command, stderr=silent, text=True).strip()
    except (OSError, subprocess.CalledProcessError):  # no Git, or no clone
        return "unknown"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=SUITES, default="numeric")
    parser.add_argument(
        "--data", type=Path, help="folder with <table>.parquet; default: fetch by name"
    )
    parser.add_argument("--out", type=Path, help="default: results/<suite>.jsonl")
    parser.add_argument("--datasets", nargs="+", help="only these tables")
    parser.add_argument("--masks", nargs="+", type=int, help="only these seeds")
    parser.add_argument("--methods", nargs="+", choices=METHODS, help="only these")
    options = parser.parse_args(arguments)

    suite = SUITES[options.suite]
    names = options.datasets or suite.datasets
    masks = options.masks or suite.masks
    grid = product(names, suite.rates, masks, options.methods or suite.methods)
    try:
        tables = {name: load(name, options.data) for name in names}
    except (OSError, ValueError) as error:
        parser.error(str(error))
    tables = {name: suite.part(tables[name], suite.max_rows) for name in names}
    path = options.out or RESULTS / f"{options.suite}.jsonl"
    run(map(Case._make, grid), tables, path)


if __name__ == "__main__":
    main()
