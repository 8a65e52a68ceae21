"""Write a suite's results into a page: ``python -m benchmarks.report --suite numeric``.

The table goes between two markers of the page; everything else there stays.
`whole_tables`, which is no suite of cases, has a page of its own.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from itertools import product
from math import inf
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from benchmarks import whole_tables
from benchmarks.protocol import METRICS, Case, read_lines, read_rows
from benchmarks.run import RESULTS, SUITES, Suite

DOCS = Path(__file__).parents[1] / "docs"

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
| table | rows × columns | hidden | method | {metric} | sd | masks \
| fit s, median | max | bar | verdict |
|---|--:|--:|---|--:|--:|--:|--:|--:|--:|---|"""


def render(suite: Suite, rows: dict[Case, dict[str, Any]]) -> str:
    """Return the results of a suite as Markdown."""
    _check_same_cells(rows)
    lines = [HEADER.format(metric=METRICS[suite.metric])]
    for dataset, rate in product(suite.datasets, suite.rates):
        results = {}
        for method in suite.methods:
            cases = [Case(dataset, rate, mask, method) for mask in suite.masks]
            if found := [rows[case] for case in cases if case in rows]:
                results[method] = Result.of(found, suite)
        bar = _bar(suite, dataset, results)
        lines += [_line(result, bar) for result in results.values()]
    return "\n".join([*lines, *_notes(rows)])


@dataclass(frozen=True)
class Result:
    """What a method reached on a table, over those masks on which it succeeded."""

    row: dict[str, Any]
    scores: list[float]
    seconds: list[float]
    n_masks: int

    @classmethod
    def of(cls, rows: list[dict[str, Any]], suite: Suite) -> Result:
        succeeded = [row for row in rows if row["error"] is None]
        scores = [row[suite.metric] for row in succeeded]
        seconds = [row["fit_seconds"] for row in succeeded]
        return cls(rows[0], scores, seconds, len(suite.masks))

    @property
    def is_complete(self) -> bool:
        return len(self.scores) == self.n_masks


@dataclass(frozen=True)
class Bar:
    """What the mean score has to reach: a largest error, or a least accuracy.

    A bar that is `strict` has to be surpassed.
    """

    metric: str
    score: float
    strict: bool = False
    max_fit_seconds: float = inf

    def verdict(self, result: Result) -> str:
        """Return whether all masks succeeded, well enough and each fast enough."""
        if not result.is_complete:
            return "**fail**: failed or not run"
        sign = -1 if self.metric == "rmse" else 1
        ahead = sign * (mean(result.scores) - self.score)
        if ahead < 0 or (self.strict and ahead == 0):
            return f"**fail**: {METRICS[self.metric]}"
        is_fast = max(result.seconds) < self.max_fit_seconds
        return "pass" if is_fast else "**fail**: seconds"


def _bar(suite: Suite, dataset: str, results: dict[str, Result]) -> Bar | None:
    """Return the bar of the judged method; None if there is none, or none yet."""
    if suite.metric == "rmse":
        if dataset not in PROTOTYPE_RMSE:
            return None
        score = TOLERANCE * PROTOTYPE_RMSE[dataset]
        return Bar("rmse", score, max_fit_seconds=MAX_FIT_SECONDS)
    others = [method for method in suite.methods if method != JUDGED]
    if not all(name in results and results[name].is_complete for name in others):
        return None
    best = max(others, key=lambda name: (mean(results[name].scores), name == "mode"))
    return Bar("accuracy", mean(results[best].scores), strict=best == "mode")


def _check_same_cells(rows: dict[Case, dict[str, Any]]) -> None:
    """Raise unless all methods were given the same table with the same hidden cells."""
    cells = {}
    for case, row in rows.items():
        key = (case.dataset, case.rate, case.mask)
        if cells.setdefault(key, row["cells"]) != row["cells"]:
            raise ValueError(f"{case}: got other cells than another method was given")


def _line(result: Result, bar: Bar | None) -> str:
    """Return the line of a table and method, over masks."""
    row, scores, seconds = result.row, result.scores, result.seconds
    is_judged = row["method"] == JUDGED and bar is not None
    cells = [
        row["dataset"],
        f"{row['n_rows']:,} × {row['n_columns']}",
        f"{row['rate']:.0%}",
        row["method"],
        f"{mean(scores):.4f}" if scores else "–",
        f"{stdev(scores):.4f}" if len(scores) > 1 else "–",
        f"{len(scores)} of {result.n_masks}",
        f"{median(seconds):.1f}" if seconds else "–",
        f"{max(seconds):.1f}" if seconds else "–",
        f"{bar.score:.4f}" if is_judged else "",
        bar.verdict(result) if is_judged else "",
    ]
    return f"| {' | '.join(cells)} |"


def _notes(rows: dict[Any, dict[str, Any]]) -> list[str]:
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
    parser.add_argument(
        "--suite", choices=[*SUITES, whole_tables.NAME], default="numeric"
    )
    parser.add_argument("--results", type=Path, help="default: results/<suite>.jsonl")
    parser.add_argument("--page", type=Path, help="default: the suite's page in docs/")
    options = parser.parse_args(arguments)

    results = options.results or RESULTS / f"{options.suite}.jsonl"
    if options.suite in SUITES:
        page = options.page or DOCS / "benchmarks.md"
        content = render(SUITES[options.suite], read_rows(results))
    else:
        page = options.page or DOCS / "tables.md"
        rows = {row["table"]: row for row in read_lines(results)}
        content = "\n".join([whole_tables.render(rows), *_notes(rows)])
    text = insert(page.read_text("utf-8"), options.suite, content)
    page.write_text(text, encoding="utf-8")
    print(content)


if __name__ == "__main__":
    main()
