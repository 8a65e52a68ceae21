"""Fit tables under hardship, and look for numbers that are not finite.

Every table of a folder, at most 2,000 rows and 50,000 cells of it, gets short fits:
cells hidden by three mechanisms at three rates; columns that repeat, sum up or nearly
repeat others; and all numbers in units from 1e-12 to 1e12. Losses have to be finite,
what is filled is checked by `check_filled`, and no fit may warn.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.whole_tables import check_filled
from benchmarks.worker import peak_memory
from vaeimpute import VAEImputer
from vaeimpute.amputation import ampute

NAME = "hardships"
MECHANISMS = ("mcar", "mar", "mnar")
RATES = (0.01, 0.5, 0.9)
SCALES = (1e-12, 1e12)
#: Of a table; wide ones keep the least rows.
MAX_ROWS, MAX_CELLS, LEAST_ROWS = 2_000, 50_000, 250
SHARE = "logitnormal"
SHORT = {"max_iter": 5, "random_state": 0}

HEADER = """\
| table | fits | cells filled | other units: differ by, SD | failures |
|---|--:|--:|--:|---|"""


def try_file(path: Path) -> dict[str, Any]:
    """Fit the table of a file under each hardship; return what was found."""
    import keras  # noqa: F401  not part of a fit's seconds

    table = pd.read_parquet(path)
    most = min(MAX_ROWS, max(LEAST_ROWS, MAX_CELLS // table.shape[1]))
    if len(table) > most:
        table = table.sample(most, random_state=0).reset_index(drop=True)
    return try_table(table)


def try_table(table: pd.DataFrame) -> dict[str, Any]:
    """Fit a table under each hardship; return the number of fits and their failures."""
    start, n_filled, failures = time.perf_counter(), 0, {}
    cases = dict(_hardships(table))
    for name, hidden in cases.items():
        try:
            n_filled += _fill(hidden)
        except Exception as error:  # any failure is a result
            failures[name] = f"{type(error).__name__}: {error}"
    row = {"n_fits": len(cases), "n_filled": n_filled, "failures": failures}
    numbers = table.select_dtypes("number").astype(float)
    if numbers.shape[1]:
        row["n_fits"] += 1 + len(SCALES)
        try:
            row["differ_by"] = _difference_between_units(numbers)
        except Exception as error:
            failures["units"] = f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    return row | {"fit_seconds": seconds, "memory_peak": peak_memory()}


def _hardships(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    # The columns with most values stay whole, so that the others can lose 90 %.
    by_variety = table.nunique().sort_values(kind="stable").index
    losing = {"mar": list(by_variety[: max(1, round(0.7 * len(by_variety)))])}
    for mechanism in MECHANISMS:
        for rate in RATES:
            columns = losing.get(mechanism)
            hidden = ampute(table, mechanism, rate, columns=columns, random_state=0)
            yield f"{mechanism} {rate:.0%}", hidden
    numbers = table.select_dtypes("number").astype(float)
    if numbers.shape[1]:
        noise = np.random.default_rng(0).normal(size=len(table))
        first, spread = numbers.iloc[:, 0], numbers.iloc[:, 0].std()
        dependent = {
            "the same": first,
            "a multiple": -3 * first,
            "a sum": numbers.sum(axis=1, skipna=False),
            "nearly the same": first + 1e-9 * spread * noise,
            "tiny beside its mean": 1e6 * spread + first,
        }
        dependent = pd.DataFrame(dependent, index=table.index)
        columns = pd.concat([table, dependent.add_prefix("added: ")], axis=1)
        yield "collinear", ampute(columns, "mcar", 0.3, random_state=0)


def _fill(table: pd.DataFrame) -> int:
    """Fill a table by a short fit and check it; return the number of cells filled."""
    imputer = VAEImputer(**SHORT, keep_empty_features=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Skipping features without any observed")
        imputer.fit(table)
    curves = [*imputer.loss_curve_, *imputer.validation_scores_]
    if not np.isfinite(curves).all():
        raise AssertionError(f"expected finite losses, got {curves}")
    filled = imputer.transform(table)
    check_filled(table, filled)
    numbers = filled.select_dtypes("number").astype(float)
    if not np.isfinite(numbers.to_numpy()).all():
        raise AssertionError("expected finite numbers, got infinite ones")
    return int(table[filled.columns].isna().to_numpy().sum())


def _difference_between_units(numbers: pd.DataFrame) -> float:
    """Return by how much fillings differ at most between units, in SD of a column.

    Whole numbers are counts in one unit and none in another: a thousandth of each
    column's SD is added as noise, so that they are measurements in all units. What is
    taken for a share, as it lies between 0 and 1, is left out: it has no unit.
    """
    spread = numbers.std()
    numbers = numbers.loc[:, spread > 0]
    noise = np.random.default_rng(0).normal(size=numbers.shape)
    numbers = numbers + 1e-3 * spread[spread > 0].to_numpy() * noise
    hidden = ampute(numbers, "mcar", 0.3, random_state=0)
    first = VAEImputer(**SHORT).fit(hidden)
    shares = [name for name, kind in first.likelihoods_.items() if kind == SHARE]
    if shares:
        hidden = hidden.drop(columns=shares)
        first = VAEImputer(**SHORT).fit(hidden)
    expected = first.transform(hidden)
    largest = 0.0
    for scale in SCALES:
        found = VAEImputer(**SHORT).fit_transform(hidden * scale) / scale
        difference = ((found - expected) / numbers[hidden.columns].std()).abs()
        largest = max(largest, float(difference.to_numpy().max()))
    return largest


def render(rows: dict[str, dict[str, Any]]) -> str:
    """Return what was found in all tables, by name, as Markdown."""
    lines = [HEADER, *(_line(name, rows[name]) for name in sorted(rows))]
    n_fits = sum(row.get("n_fits", 0) for row in rows.values())
    n_filled = sum(row.get("n_filled", 0) for row in rows.values())
    n_failures = sum(len(_failures(row)) for row in rows.values())
    summary = f"{len(rows)} tables, {n_fits:,} fits, {n_filled:,} cells filled, "
    return "\n".join([*lines, "", f"{summary}{n_failures} failures."])


def _failures(row: dict[str, Any]) -> dict[str, str]:
    return {"table": row["error"]} if row["error"] else row["failures"]


def _line(name: str, row: dict[str, Any]) -> str:
    found = "; ".join(f"{case}: {text}" for case, text in _failures(row).items())
    differ_by = f"{row['differ_by']:.1e}" if "differ_by" in row else "–"
    n_fits, n_filled = row.get("n_fits", 0), row.get("n_filled", 0)
    return f"| {name} | {n_fits} | {n_filled:,} | {differ_by} | {found or 'none'} |"
