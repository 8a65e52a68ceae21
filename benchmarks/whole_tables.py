"""Fill every table of a folder, whole.

All rows and columns, plain defaults, each table in a fresh process, smallest first.
Each finished table is one JSON line of the output file, written at once; tables that
have a line already are not run again, so that a run can be stopped and resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import parquet

from benchmarks.isolation import in_fresh_process
from benchmarks.protocol import append_line, read_lines
from benchmarks.run import environment
from benchmarks.worker import peak_memory, timed_fill, versions
from vaeimpute import VAEImputer
from vaeimpute.amputation import hide

NAME = "whole_tables"
# Share of the cells that are hidden in a table without missing ones.
HIDDEN_RATE = 0.1

HEADER = """\
| table | rows | columns: numeric | nominal | missing cells | fit s | transform s \
| MiB before | peak | filled |
|---|--:|--:|--:|--:|--:|--:|--:|--:|---|"""


def by_size(folder: Path) -> dict[Path, int]:
    """Return the Parquet files of a folder with their cells, smallest first."""
    cells = {}
    for path in sorted(folder.glob("*.parquet")):
        shape = parquet.read_metadata(path)
        cells[path] = shape.num_rows * shape.num_columns
    return dict(sorted(cells.items(), key=lambda item: item[1]))


def check_filled(table: pd.DataFrame, filled: pd.DataFrame) -> None:
    """Raise an AssertionError unless all missing cells are filled and no others.

    Columns without any observed cell have to be dropped, the index, dtypes and order
    of the others to be kept.
    """
    known = table.loc[:, table.notna().any().to_numpy()]
    if not filled.columns.equals(known.columns):
        wrong = known.columns.symmetric_difference(filled.columns, sort=False)
        raise AssertionError(f"columns: {list(wrong)} lost or new, or in another order")
    if not filled.index.equals(known.index):
        raise AssertionError("index: got another one than the table's")
    for (name, before), (_, after) in zip(known.items(), filled.items(), strict=True):
        if after.dtype != before.dtype:
            raise AssertionError(
                f"Column {name!r}: got dtype {after.dtype}, expected {before.dtype}"
            )
        if n_missing := int(after.isna().sum()):
            raise AssertionError(f"Column {name!r}: {n_missing} cells are not filled")
        observed = before.notna().to_numpy()
        differs = (after[observed] != before[observed]).to_numpy()
        if n_changed := int(differs.sum()):
            raise AssertionError(
                f"Column {name!r}: {n_changed} observed cells have changed"
            )


def fill_file(path: Path) -> dict[str, Any]:
    """Fill the table of a file by the VAE; return what `fill_whole` does."""
    import keras  # noqa: F401  a program pays for it once, not at every fit

    return fill_whole(pd.read_parquet(path), VAEImputer(random_state=0))


def fill_whole(table: pd.DataFrame, imputer: Any) -> dict[str, Any]:
    """Fill a table and check it; return its size, seconds and MiB of memory.

    A table without missing cells gets some, so that there is something to fill.
    """
    rate = 0.0 if table.isna().any(axis=None) else HIDDEN_RATE
    if rate:
        table = hide(table, np.random.default_rng(0).random(table.shape) < rate)
    numeric = table.select_dtypes("number").columns
    row = {
        "n_rows": len(table),
        "n_numeric": len(numeric),
        "n_nominal": table.shape[1] - len(numeric),
        "n_missing": int(table.isna().to_numpy().sum()),
        "hidden_rate": rate,
        "memory_before": peak_memory(),
    }
    filled, measured = timed_fill(imputer, table)
    row |= measured | {"memory_peak": peak_memory()}
    check_filled(table, filled)
    return row


def run(
    paths: Iterable[Path],
    out: Path,
    execute: Callable = in_fresh_process,
    fill: Callable[[Path], dict[str, Any]] = fill_file,
) -> None:
    """Append the rows of all tables that the file `out` does not hold yet."""
    done = {row["table"] for row in read_lines(out)}
    paths = [path for path in paths if path.stem not in done]
    context = environment() | versions()
    for number, path in enumerate(paths, start=1):
        row = {"table": path.stem, "error": None}
        try:
            row |= execute(fill, path)
            outcome = f"{row['fit_seconds']:.1f} s, {row['memory_peak']:,.0f} MiB"
        except Exception as error:  # any failure is a result
            row["error"] = outcome = f"{type(error).__name__}: {error}"
        append_line(out, row | {"environment": context})
        print(f"[{number}/{len(paths)}] {path.stem}: {outcome}", flush=True)


def render(rows: dict[str, dict[str, Any]]) -> str:
    """Return the rows of all tables, by name, as Markdown, and what they sum up to."""
    lines = [HEADER, *(_line(rows[name]) for name in sorted(rows))]
    filled = [row for row in rows.values() if row["error"] is None]
    seconds = sum(row["fit_seconds"] + row["transform_seconds"] for row in filled)
    most = max((row["memory_peak"] for row in filled), default=0)
    return "\n".join(
        [
            *lines,
            "",
            f"{len(filled)} of {len(rows)} tables are filled as they should be, in "
            f"{seconds / 60:,.1f} minutes together and at most {most:,.0f} MiB. In "
            f"those marked * no cell was missing, and {HIDDEN_RATE:.0%} were hidden.",
        ]
    )


def _line(row: dict[str, Any]) -> str:
    """Return the line of a table; a failed one has no figures."""
    if row["error"]:
        return f"| {row['table']} |{' – |' * 8} **no** |"
    cells = [
        row["table"],
        f"{row['n_rows']:,}",
        f"{row['n_numeric']}",
        f"{row['n_nominal']}",
        f"{row['n_missing']:,}{'*' if row['hidden_rate'] else ''}",
        f"{row['fit_seconds']:.1f}",
        f"{row['transform_seconds']:.1f}",
        f"{row['memory_before']:,.0f}",
        f"{row['memory_peak']:,.0f}",
        "yes",
    ]
    return f"| {' | '.join(cells)} |"
