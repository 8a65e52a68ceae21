"""What tables larger than memory take, by rows: drawing, training, filling.

The costs of a row are taken from the run of a million rows, and predict the others.
"""

from __future__ import annotations

import tempfile

import pandas as pd

from benchmarks import markdown
from benchmarks.large_table import COLUMNS
from benchmarks.uses.study import Study
from benchmarks.uses.works import in_process

ROWS = ("100_000", "1_000_000", "10_000_000")
USUAL = "1_000_000"
MICROSECOND = 1e-6


def cases():
    for rows in ROWS:
        yield (rows,)


def solve(rows: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        return in_process("benchmarks.large_table", folder, "--rows", rows)


def render(rows: pd.DataFrame) -> str:
    rows = rows.set_index("rows")
    usual = rows.loc[USUAL]
    lines = []
    for name, row in rows.iterrows():
        times = int(name) / int(USUAL)
        lines.append(
            [
                f"{int(name):,} × {COLUMNS}",
                markdown.number(row.gigabytes, ".2f"),
                _beside(row.draw_seconds, times * usual.draw_seconds),
                markdown.number(row.train_seconds, ".0f"),
                _beside(row.fill_seconds, times * usual.fill_seconds),
                markdown.number(max(row.mib_of_fit, row.mib_of_both), ".0f"),
            ]
        )
    header = ["rows", "GB", "draw, s", "train, s", "fill, s", "MiB"]
    cells = int(USUAL) * COLUMNS
    return (
        markdown.table(header, lines)
        + "\n\nIn brackets: what the run of 1,000,000 rows predicts, "
        f"{usual.draw_seconds / cells / MICROSECOND:.2f} µs a cell to draw and "
        f"{usual.fill_seconds / cells / MICROSECOND:.2f} µs a cell to fill."
    )


def _beside(measured: float, predicted: float) -> str:
    return f"{measured:.1f} ({predicted:.1f})"


STUDY = Study(
    "large_tables",
    ("rows",),
    cases,
    solve,
    render,
    page="large_tables.md",
)
