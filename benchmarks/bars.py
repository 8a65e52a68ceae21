"""Bars that our method has to reach on a suite, and a table with the verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from statistics import mean, median, stdev
from typing import Any

from benchmarks import markdown
from benchmarks.methods import JUDGED
from benchmarks.protocol import METRICS, Rows, check_same_cells
from benchmarks.suites import Suite

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
#: Suites that have bars.
BARS = ("numeric", "nominal")

HEADER = """\
| table | rows × columns | hidden | method | {metric} | sd | masks \
| fit s, median | max | bar | verdict |
|---|--:|--:|---|--:|--:|--:|--:|--:|--:|---|"""


def render(suite: Suite, rows: Rows) -> str:
    """Return the results of a suite with bars as Markdown."""
    check_same_cells(rows)
    wanted = {}
    for case in suite.cases():
        wanted.setdefault(case[:-2], {}).setdefault(case.method, []).append(case)
    lines = [HEADER.format(metric=METRICS[suite.metric])]
    for (dataset, *_), methods in wanted.items():
        results = {
            method: Result.of(found, suite.metric, len(cases))
            for method, cases in methods.items()
            if (found := [rows[case] for case in cases if case in rows])
        }
        bar = _bar(suite, dataset, results)
        lines += [_line(result, bar) for result in results.values()]
    return "\n".join(
        [
            *lines,
            "",
            *markdown.failed_lines(rows),
            *markdown.environments(rows.values()),
        ]
    )


@dataclass(frozen=True)
class Result:
    """What a method reached on a table, over those masks on which it succeeded."""

    row: dict[str, Any]
    scores: list[float]
    seconds: list[float]
    n_masks: int

    @classmethod
    def of(cls, rows: list[dict[str, Any]], metric: str, n_masks: int) -> Result:
        succeeded = [row for row in rows if row["error"] is None]
        scores = [row[metric] for row in succeeded]
        seconds = [row["fit_seconds"] for row in succeeded]
        return cls(rows[0], scores, seconds, n_masks)

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


def _line(result: Result, bar: Bar | None) -> str:
    """Return the line of a table and method, over masks."""
    row, scores, seconds = result.row, result.scores, result.seconds
    is_judged = row["method"] == JUDGED and bar is not None
    return markdown.line(
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
    )
