"""Write a suite's results into pages, between two markers; everything else there stays.

Suites of `BARS` have a table with a bar that the judged method has to reach. The others
compare it with each rival: a summary, figures, and a second page with all scores.
`whole_tables`, which is no suite of cases, has a page of its own.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from benchmarks import bars, comparison, hardships, markdown, plots, whole_tables
from benchmarks.methods import JUDGED
from benchmarks.protocol import read_lines, read_rows
from benchmarks.suites import SUITES
from benchmarks.uses.study import Study

CASES_PAGE = "benchmark_cases.md"
#: Suites that have a place in the pages.
PUBLISHED = ("headline", *bars.BARS)


def write(suite_name: str, results_path: Path, page_path: Path) -> None:
    """Write a suite's results into a page, and the second page and figures beside it.

    Raises
    ------
    ValueError
        If methods were given different cells, or a page lacks the suite's markers.
    """
    suite, rows = SUITES[suite_name], read_rows(results_path)
    if suite_name in bars.BARS:
        _write_into(page_path, suite_name, bars.render(suite, rows))
        return
    cases = comparison.wanted_cases(suite, rows)
    results, folder = comparison.results_of(cases, rows), page_path.parent
    _write_into(
        folder / CASES_PAGE, suite_name, comparison.render_cases(cases, results)
    )
    figures = plots.write(results, JUDGED, folder / comparison.FIGURES, suite_name)
    text = comparison.render_comparison(cases, results, figures)
    _write_into(page_path, suite_name, text)


def text_of(suite_name: str, results_path: Path) -> str:
    """Return how the methods of a suite compare, without figures."""
    rows = read_rows(results_path)
    cases = comparison.wanted_cases(SUITES[suite_name], rows)
    results = comparison.results_of(cases, rows)
    texts = comparison.render_comparison(cases, results, [])
    return f"{texts}\n\n{comparison.render_cases(cases, results)}"


def write_whole_tables(results_path: Path, page_path: Path) -> None:
    _write_tables(whole_tables, results_path, page_path)


def write_hardships(results_path: Path, page_path: Path) -> None:
    _write_tables(hardships, results_path, page_path)


def _write_tables(module: ModuleType, results_path: Path, page_path: Path) -> None:
    rows = {row["table"]: row for row in read_lines(results_path)}
    notes = [*markdown.failed_lines(rows), *markdown.environments(rows.values())]
    text = "\n".join([module.render(rows), "", *notes])
    _write_into(page_path, module.NAME, text)


def write_study(study: Study, results_path: Path, page_path: Path) -> None:
    _write_into(page_path, study.name, study.report(results_path))


def _write_into(path: Path, name: str, content: str) -> None:
    text = markdown.insert(path.read_text(encoding="utf-8"), name, content)
    path.write_text(text, encoding="utf-8")
