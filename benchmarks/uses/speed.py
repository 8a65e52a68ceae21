"""What work takes: seconds and memory beside what a user would pick instead.

Each piece of `works` is done in a process of its own, three times; figures are medians.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import markdown
from benchmarks.uses.study import Study
from benchmarks.uses.works import STAGES, in_process

RUNS = (0, 1, 2)
LARGE = ("beijing_multisite", "protein", "skin")
BESIDE_FORESTS = ("letter", "california", "magic")
STAGED = ("concrete", "letter", "adult")
ROWS, COLUMNS = (10_000, 100_000, 1_000_000), (10, 100, 1_000)


def cases():
    for run in RUNS:
        for work in ("start_up", "refit", "epoch", "grid", "memory"):
            yield work, "", run
        for method in ("vae", "iterative"):
            yield "transform", f"{method} 100000 1", run
            yield "transform", f"{method} 1 200", run
        yield from (("size", f"{n} 20", run) for n in ROWS)
        yield from (("size", f"2000 {n}", run) for n in COLUMNS)
        yield from (("stages", table, run) for table in STAGED)
        for table in LARGE + BESIDE_FORESTS:
            rivals = ("missforest",) if table in BESIDE_FORESTS else ()
            for method in ("vae", "iterative", *rivals):
                yield "fill", f"{method} {table}", run


def solve(work: str, arguments: str, run: int, folder: Path | None) -> dict:
    given = arguments.split()
    if work in ("fill", "stages"):
        given.append(str(folder))
    return in_process("benchmarks.uses.works", work, *given)


def render(rows: pd.DataFrame) -> str:
    figures = rows.drop(columns=["run", "environment", "processor_seconds"])
    figures = figures.groupby(["work", "arguments"]).median(numeric_only=True)
    present = set(figures.index)

    def of(work, arguments="", name="seconds"):
        at = (work, arguments)
        is_known = at in present and name in figures
        return float(figures.loc[at, name]) if is_known else np.nan

    parts = [_of_tables(of), _of_work(of), _of_sizes(of), _of_stages(of)]
    return "\n\n".join(parts)


def _of_tables(of) -> str:
    lines = []
    for table in LARGE + BESIDE_FORESTS:
        for method in ("vae", "iterative", "missforest"):
            seconds = of("fill", f"{method} {table}")
            rmse = of("fill", f"{method} {table}", "rmse")
            ours = of("fill", f"vae {table}")
            if not np.isnan(seconds):
                shown = [markdown.number(seconds, ".1f"), markdown.number(rmse)]
                lines.append([table, method, *shown, _ratio(ours, seconds)])
    header = ["table, all rows", "method", "seconds", "RMSE", "`vae` ÷ it"]
    return markdown.table(header, lines, 2)


def _of_work(of) -> str:
    first, second = (of("refit", "", f"{x}_overhead") for x in ("first", "second"))
    many, one = "100000 1", "1 200"
    vae, other = of("transform", f"vae {many}"), of("transform", f"iterative {many}")
    milliseconds = 1e3 * of("transform", f"vae {one}")
    lines = [
        ["`transform` of 100,000 rows ÷ `IterativeImputer`'s", _ratio(vae, other), "½"],
        ["`transform` of one row, ms", markdown.number(milliseconds, ".1f"), "5"],
        ["second fit's overhead ÷ the first's", _ratio(max(second, 0), first), "0.1"],
        ["MiB kept by a fit", markdown.number(of("refit", "", "mib_per_fit")), "1"],
        [
            "training step ÷ its bare products",
            _ratio(of("epoch", "", "step"), of("epoch", "", "bare")),
            "1.6",
        ],
        ["import, s", markdown.number(of("start_up")), "0.1"],
        [
            "peak MiB of a fit to 1,000,000 × 20 numbers",
            markdown.number(of("memory", "", "mib"), ".0f"),
            "500",
        ],
        [
            "24 fits of a grid search, s beyond training",
            markdown.number(of("grid", "", "beyond_training"), ".1f"),
            "2",
        ],
    ]
    return markdown.table(["work", "measured", "bar"], lines)


def _of_sizes(of) -> str:
    by_rows = [of("size", f"{n} 20") for n in ROWS]
    by_columns = [of("size", f"2000 {n}") for n in COLUMNS]
    lines = [
        [f"{n:,} × 20", markdown.number(x, ".2f")]
        for n, x in zip(ROWS, by_rows, strict=True)
    ]
    lines += [
        [f"2,000 × {n:,}", markdown.number(x, ".2f")]
        for n, x in zip(COLUMNS, by_columns, strict=True)
    ]
    table = markdown.table(["one epoch and `transform`", "seconds"], lines)
    exponents = _exponent(ROWS, by_rows), _exponent(COLUMNS, by_columns)
    shown = [markdown.number(x, ".2f") for x in exponents]
    return (
        f"{table}\n\nSeconds grow with rows to the power of {shown[0]} (bar 1.05), "
        f"and with columns to the power of {shown[1]} (bar 1.2)."
    )


def _of_stages(of) -> str:
    shares = [
        [name]
        + [
            markdown.number(100 * of("stages", x, name) / of("stages", x), ".0f")
            for x in STAGED
        ]
        for name in (*STAGES, "all else")
    ]
    seconds = [markdown.number(of("stages", x), ".1f") for x in STAGED]
    return markdown.table(
        ["where the time of `fit_transform` goes, %", *STAGED],
        [*shares, ["*seconds*", *seconds]],
    )


def _exponent(sizes, seconds) -> float:
    """Return the slope of log seconds by log size, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def _ratio(ours: float, other: float) -> str:
    return markdown.number(ours / other, ".2f")


STUDY = Study(
    "speed",
    ("work", "arguments", "run"),
    cases,
    solve,
    render,
    page="speed.md",
    takes_folder=True,
)
