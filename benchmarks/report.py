"""Write a suite's results into a page: ``python -m benchmarks.report --suite numeric``.

The table goes between two markers of the page; everything else there stays.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import product
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from benchmarks.protocol import Case, read_rows
from benchmarks.run import RESULTS, SUITES, Suite

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"

JUDGED = "vae"
# RMSE of the prototype that the model was chosen by; TOLERANCE times that passes.
PROTOTYPE_RMSE = {
    "california": 0.489,
    "concrete": 0.563,
    "banknote": 0.587,
    "wdbc": 0.426,
    "letter": 0.56,
}
TOLERANCE = 1.03
MAX_FIT_SECONDS = 60

HEADER = """\
| table | rows × columns | hidden | method | RMSE | sd | masks \
| fit s, median | max | bar | verdict |
|---|--:|--:|---|--:|--:|--:|--:|--:|--:|---|"""


def render(suite: Suite, rows: dict[Case, dict[str, Any]]) -> str:
    """Return the results of a suite as Markdown."""
    _check_same_cells(rows)
    lines = [HEADER]
    for dataset, rate, method in product(suite.datasets, suite.rates, suite.methods):
        cases = [Case(dataset, rate, mask, method) for mask in suite.masks]
        found = [rows[case] for case in cases if case in rows]
        if found:
            lines.append(_line(found, n_masks=len(cases)))
    return "\n".join([*lines, *_notes(rows)])


def _check_same_cells(rows: dict[Case, dict[str, Any]]) -> None:
    """Raise unless all methods were given the same table with the same hidden cells."""
    cells = {}
    for case, row in rows.items():
        key = (case.dataset, case.rate, case.mask)
        if cells.setdefault(key, row["cells"]) != row["cells"]:
            raise ValueError(f"{case}: got other cells than another method was given")


def _line(rows: list[dict[str, Any]], n_masks: int) -> str:
    """Return the line of a table and method, over masks."""
    row = rows[0]
    rmse = [row["rmse"] for row in rows if row["error"] is None]
    seconds = [row["fit_seconds"] for row in rows if row["error"] is None]
    is_judged = row["method"] == JUDGED and row["dataset"] in PROTOTYPE_RMSE
    bar = TOLERANCE * PROTOTYPE_RMSE[row["dataset"]] if is_judged else None
    cells = [
        row["dataset"],
        f"{row['n_rows']:,} × {row['n_columns']}",
        f"{row['rate']:.0%}",
        row["method"],
        f"{mean(rmse):.4f}" if rmse else "–",
        f"{stdev(rmse):.4f}" if len(rmse) > 1 else "–",
        f"{len(rmse)} of {n_masks}",
        f"{median(seconds):.1f}" if seconds else "–",
        f"{max(seconds):.1f}" if seconds else "–",
        f"{bar:.4f}" if is_judged else "",
        verdict(rmse, seconds, n_masks, bar) if is_judged else "",
    ]
    return f"| {' | '.join(cells)} |"


def verdict(rmse: list[float], seconds: list[float], n_masks: int, bar: float) -> str:
    """Return whether all masks succeeded, well enough on average, each fast enough."""
    if len(rmse) < n_masks:
        return "**fail**: failed or not run"
    if mean(rmse) > bar:
        return "**fail**: RMSE"
    return "pass" if max(seconds) < MAX_FIT_SECONDS else "**fail**: seconds"


def _notes(rows: dict[Case, dict[str, Any]]) -> list[str]:
    """Return what failed, and in which environments the cases were run."""
    failed = [(case, row["error"]) for case, row in rows.items() if row["error"]]
    environments = Counter(
        ", ".join(f"{name} {value}" for name, value in row["environment"].items())
        for row in rows.values()
    )
    return [
        "",
        *(f"- {case}: {error.splitlines()[0]}" for case, error in failed),
        *(f"- {n} cases: {text}" for text, n in environments.most_common()),
    ]


def insert(page: str, name: str, content: str) -> str:
    """Return the page with the content between its two markers of that name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"page: expected one line {begin!r} and one {end!r}")
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n{content.strip()}\n{end}{tail}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=SUITES, default="numeric")
    parser.add_argument("--results", type=Path, help="default: results/<suite>.jsonl")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)

    rows = read_rows(options.results or RESULTS / f"{options.suite}.jsonl")
    content = render(SUITES[options.suite], rows)
    page = insert(options.page.read_text("utf-8"), options.suite, content)
    options.page.write_text(page, encoding="utf-8")
    print(content)


if __name__ == "__main__":
    main()
