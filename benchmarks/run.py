"""Run cases one by one, each of them once, into a file of JSON lines.

Each finished case is one line, written at once; cases that have a line already are not
run again, so that a run can be stopped and resumed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import joblib

import vaeimpute
from benchmarks.isolation import run_module
from benchmarks.problems import Problem
from benchmarks.protocol import (
    METRICS,
    Case,
    Limits,
    append_line,
    read_rows,
    run_case,
)
from benchmarks.suites import Suite
from benchmarks.worker import versions

RESULTS = Path(__file__).parent / "results"

#: Draws of masks after the first: CRPS needs no more, intervals do, at a high price.
FEW_DRAWS = 2


def run(
    cases: Iterable[Case],
    suite: Suite,
    path: Path,
    data: Path | None = None,
    limits: Limits | None = None,
    execute: Callable = run_module,
) -> None:
    """Append the rows of all cases that the file at `path` does not hold yet."""
    done, limits = read_rows(path), limits or Limits()
    cases = [case for case in cases if case not in done]
    problem, latest, context = None, None, environment()
    with click.progressbar(cases, item_show_func=_shown, show_pos=True) as remaining:
        for case in remaining:
            if (key := case[:-1]) != latest:
                table = suite.load(case.dataset, data)
                problem, latest = Problem.of(table, *key[1:], suite.new_share), key
            is_first = case.mask == suite.masks[0]
            n_draws = limits.n_draws if is_first else FEW_DRAWS
            row = run_case(case, problem, replace(limits, n_draws=n_draws), execute)
            row["environment"] = context | row.get("environment", versions())
            append_line(path, row)
            click.echo(f"\r{case}: {_outcome(row)}")


def _shown(case: Case | None) -> str | None:
    return None if case is None else str(case)


def _outcome(row: dict[str, Any]) -> str:
    """Return the error of a case, or its scores and seconds, as text."""
    if row["error"]:
        return row["error"]
    scores = [f"{label} {row[key]:.4f}" for key, label in METRICS.items() if key in row]
    return ", ".join([*scores, f"{row['fit_seconds']:.1f} s"])


def environment() -> dict[str, Any]:
    """Return what figures may depend on, besides versions: code and cores."""
    return {
        "vaeimpute": vaeimpute.__version__,
        "commit": _commit(),
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
