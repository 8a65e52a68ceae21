"""A report's findings as one page of HTML that needs nothing else.

The page forbids itself the network, and scripts and styles other than its own, by a
Content-Security-Policy with their hashes. All that comes from a table, names and cells
alike, goes through `text`.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from datetime import date
from html import escape
from importlib import resources
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from vaeimpute import __version__
from vaeimpute.report._charts import bar, mirrored, span, squares
from vaeimpute.report._findings import (
    FEWEST_HIDDEN,
    LEVEL,
    MAX_REGRESSED,
    PARTLY,
    WELL,
    Distribution,
    Findings,
)
from vaeimpute.report._verdict import IMPUTERS, Verdict, counted, named, shortened

#: Charts, rows of tables, and names in one row that are shown at most.
_MAX_CHARTS, _MAX_LISTED, _MAX_NAMES = 24, 15, 8
#: An error of so many standard deviations fills its bar.
_LONGEST_ERROR = 1.5
#: Share at which the pictures of coverage begin.
_LEAST_COVERAGE = 0.5
#: Letters of a cell that are shown.
_MAX_LETTERS = 60
#: They turn the text around them, or are not seen at all.
_DIRECTIONS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)

_SECTIONS = {
    "columns": "Columns",
    "missing": "What is missing",
    "imputers": "Imputers compared",
    "distributions": "Observed and imputed",
    "cells": "Cells to look at",
    "how": "How to read this",
}
_WHY = {
    "outside": "outside what was observed",
    "edge": "at the edge of what was observed",
    "odd": "its row holds an odd cell",
    "empty": "its row is empty",
}
_WORDS = {"hardly": 0, "partly": 1, "well": 2}


def page(findings: Findings, verdict: Verdict, title: str, settings: str) -> str:
    """Return the page.

    Parameters
    ----------
    findings : Findings
    verdict : Verdict
    title : str
    settings : str
        How it was made, for the end of the page.
    """
    style, script = (_asset(name) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    sections = "".join(
        f'<section id="{id_}" aria-labelledby="{id_}-title">'
        f'<h2 id="{id_}-title">{heading}</h2>{content}</section>'
        for (id_, heading), content in zip(
            _SECTIONS.items(), _contents(findings), strict=True
        )
    )
    links = "".join(f'<li><a href="#{k}">{x}</a></li>' for k, x in _SECTIONS.items())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{text(title)}</title><style>{style}</style></head>"
        '<body><a class="skip" href="#main">Skip to the verdict</a>'
        f"<header><h1>{text(title)}</h1>{_facts(findings)}"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>'
        f'<main id="main" tabindex="-1">{_verdict(verdict)}{sections}</main>'
        f"<footer><p>Made by vaeimpute {__version__}. {text(settings)}</p></footer>"
        f"<script>{script}</script></body></html>\n"
    )


def text(value: Any) -> str:
    """Return text that is nothing but text in a page, whatever it holds.

    Letters that steer the direction of what follows, and control characters, are
    written as their codes.
    """
    return escape(_plain(value))


def _plain(value: Any) -> str:
    return "".join(map(_visible, str(value)))


def _visible(letter: str) -> str:
    is_control = unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t"
    if letter in _DIRECTIONS or is_control:
        return f"\\u{ord(letter):04x}"
    return letter


def shown(value: Any) -> str:
    """Return a cell as a reader wants to see it."""
    if pd.isna(value):
        return "–"
    if isinstance(value, float | np.floating):
        n_digits = max(4, len(str(int(abs(value)))))
        if value != 0 and not 1e-4 < abs(value) < 1e12:
            return f"{value:.3e}"
        return np.format_float_positional(
            value, precision=n_digits, fractional=False, trim="-"
        )
    if isinstance(value, pd.Timestamp):
        return str(value.date() if value == value.normalize() else value)
    if isinstance(value, date):
        return value.isoformat()
    return shortened(value, _MAX_LETTERS)


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _name(name: Hashable) -> str:
    return f"<bdi>{text(shortened(name))}</bdi>"


def _contents(findings: Findings) -> list[str]:
    """Return what each section holds."""
    return [
        _columns(findings),
        _missing(findings),
        _imputers(findings),
        _distributions(findings),
        _cells(findings),
        _how(findings),
    ]


def _facts(findings: Findings) -> str:
    n_cells = findings.n_rows * findings.n_columns
    n_full = int((findings.columns["n_missing"] == 0).sum())
    is_complete = findings.patterns["columns"].map(len) == 0
    n_complete = int(findings.patterns.loc[is_complete, "n_rows"].sum())
    missing = f"{findings.n_missing:,} ({_share(findings.n_missing / n_cells)})"
    facts = {
        "rows": f"{findings.n_rows:,}",
        "columns": f"{findings.n_columns:,}",
        "cells missing": missing,
        "complete rows": f"{n_complete:,}",
        "complete columns": f"{n_full:,}",
    }
    parts = "".join(f"<div><dt>{k}</dt><dd>{x}</dd></div>" for k, x in facts.items())
    return f'<dl class="facts">{parts}</dl>'


def _verdict(verdict: Verdict) -> str:
    blocks = "".join(
        f"<div><h3>{title}</h3>{_list(text(x) for x in said)}</div>"
        for title, said in verdict.parts.items()
    )
    return (
        '<section class="verdict" aria-labelledby="verdict">'
        f'<h2 id="verdict">{text(verdict.headline)}</h2>'
        f'<div class="parts">{blocks}</div></section>'
    )


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _share(x: float) -> str:
    """Return a share in per cent, in which what is not nothing is not 0."""
    if pd.isna(x):
        return "–"
    if 0 < x < 0.001:
        return "&lt; 0.1%"
    if 0.999 < x < 1:
        return "&gt; 99.9%"
    return f"{x:.0%}" if x in (0, 1) or 0.1 <= x <= 0.9 else f"{x:.1%}"


def _table(
    caption: str, heads: Sequence[tuple[str, str]], rows: Iterable[str], id_: str = ""
) -> str:
    """Return a table that scrolls by itself; heads are classes and texts."""
    head = "".join(f'<th scope="col" class="{c}">{x}</th>' for c, x in heads)
    name = f' id="{id_}"' if id_ else ""
    kind = "scroll tall" if id_ else "scroll"
    return (
        f'<div class="{kind}" role="region" tabindex="0" aria-label="{caption}">'
        f"<table{name}><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _first(
    caption: str,
    n_all: int,
    which: str,
    heads: Sequence[tuple[str, str]],
    rows: Iterable[str],
) -> str:
    """Return a table of the first of many rows, which says so."""
    if n_all > _MAX_LISTED:
        caption += f", of which the {_MAX_LISTED} {which}"
    return _table(caption, heads, islice(rows, _MAX_LISTED))


def _cell(content: str, key: float | None = None, name: str = "number") -> str:
    """Return a cell, with the number that it is sorted by."""
    value = "" if key is None or pd.isna(key) else repr(float(key))
    return f'<td class="{name}" data-value="{value}">{content}</td>'


def _columns(findings: Findings) -> str:
    heads = [
        *(("", "Column"), ("", "Kind"), ("graph", "Missing"), ("", "Filled")),
        *(("graph", "Error"), ("number", "Mean's error"), ("graph", "Calibration")),
        *(("", "Enough"), ("number", "Extrapolated"), ("number", "Odd")),
    ]
    columns = findings.columns
    rows = (
        _column(name, found)
        for name, found in zip(columns.index, columns.itertuples(), strict=True)
    )
    tools = (
        '<div class="tools" id="columns-tools" role="search" hidden>'
        '<label>Find a column <input type="search" id="columns-search" '
        'autocomplete="off"></label><label><input type="checkbox" id="columns-gaps"> '
        'Only with missing cells</label><span id="columns-status" role="status"></span>'
        "</div>"
    )
    caption = "All columns: missing cells, errors in hidden cells, and what to look at"
    return (
        "<p>Some observed cells were hidden and filled, so that the errors are known. "
        "Errors of numbers are in standard deviations (SD) of their column; of levels "
        "the share of wrong ones. The bar is the error of VAEImputer, the mark that of "
        "filling the mean or the most frequent level.</p>"
        f"{tools}{_table(caption, heads, rows, 'columns-table')}"
    )


def _column(name: Hashable, found: Any) -> str:
    """Return a row of the table of columns."""
    full = text(name)
    title = f' title="{full}"' if shortened(name) != str(name) else ""
    is_levels = found.kind == "levels"
    longest = 1.0 if is_levels else _LONGEST_ERROR
    missing = f"{_share(found.share_missing)} ({found.n_missing:,})"
    error = "–"
    if pd.notna(found.error):
        error = _error(found.error, is_levels)
        error += bar(found.error / longest, found.error_of_mean / longest)
    is_told = isinstance(found.note, str)
    word = text(found.note) if is_told else found.predictable
    return (
        f'<tr data-missing="{found.n_missing}">'
        f'<th scope="row"{title}>{_name(name)}</th><td>{found.kind}</td>'
        + _cell(missing + bar(found.share_missing), found.share_missing, "graph")
        + _cell(word, None if is_told else _WORDS.get(word), "")
        + _cell(error, found.error, "graph")
        + _cell(_error(found.error_of_mean, is_levels), found.error_of_mean)
        + _calibration(found, is_levels)
        + f"<td>{found.enough if isinstance(found.enough, str) else ''}</td>"
        + _cell(f"{found.n_extrapolated:,}", found.n_extrapolated)
        + _cell(f"{found.n_odd:,}", found.n_odd)
        + "</tr>"
    )


def _error(error: float, is_levels: bool) -> str:
    if pd.isna(error):
        return "–"
    return f"{_share(error)} wrong" if is_levels else f"{error:.2f} SD"


def _calibration(found: Any, is_levels: bool) -> str:
    """Return how far intervals and probabilities of a column can be believed."""
    if is_levels and pd.notna(found.accuracy):
        said = f"said {found.probability:.0%}, right {found.accuracy:.0%}"
        drawn = bar(found.accuracy, found.probability)
        return _cell(said + drawn, found.accuracy, "graph")
    if pd.isna(found.coverage):
        return _cell("–", None, "graph")
    ends = found.coverage_low, found.coverage_high, found.coverage, LEVEL
    scaled = [(x - _LEAST_COVERAGE) / (1 - _LEAST_COVERAGE) for x in ends]
    said = (
        f"{found.coverage:.0%} of {LEVEL:.0%} "
        f"({found.coverage_low:.0%} to {found.coverage_high:.0%})"
    )
    return _cell(said + span(*scaled), found.coverage, "graph")


def _missing(findings: Findings) -> str:
    gaps = findings.columns.index[findings.columns["n_missing"] > 0].tolist()
    if not gaps:
        return "<p>No cell is missing.</p>"
    n_patterns = len(findings.patterns)
    heads = [
        *(("number", "Rows"), ("graph", "Share")),
        *(("graph", "Gaps"), ("long", "Missing")),
    ]
    patterns = _first(
        f"{counted(n_patterns, 'pattern')} of missing cells",
        n_patterns,
        "most frequent",
        heads,
        (_pattern(found, gaps) for found in findings.patterns.itertuples()),
    )
    groups = findings.groups[:_MAX_LISTED]
    linked = ""
    if groups:
        together = _list(text(named(group)) for group in groups)
        linked = f"<h3>Columns that go missing together</h3>{together}"
    return (
        "<p>Each row of the table below is a set of columns that are missing in the "
        "same rows. The strip has a square for each column with gaps, in the order of "
        f"the table; filled squares are missing.</p>{patterns}"
        f"{linked}{_pairs(findings)}"
    )


def _pattern(found: Any, gaps: Sequence[Hashable]) -> str:
    missing = set(found.columns)
    names = ", ".join(_name(name) for name in found.columns[:_MAX_NAMES])
    more = len(found.columns) - _MAX_NAMES
    names += f" and {more} more" if more > 0 else ""
    strip = squares([name in missing for name in gaps])
    return (
        f"<tr>{_cell(f'{found.n_rows:,}')}"
        f'<td class="graph">{_share(found.share)}{bar(found.share)}</td>'
        f'<td class="graph">{strip}</td><td class="long">{names or "nothing"}</td></tr>'
    )


def _pairs(findings: Findings) -> str:
    together = findings.together
    if together.empty:
        return "<p>No two columns clearly go missing together.</p>"
    heads = [
        *(("long", "Column"), ("long", "And column"), ("number", "Rows without both")),
        *(("number", "By chance"), ("number", "Correlation")),
    ]
    rows = (
        f'<tr><td class="long">{_name(x.one)}</td>'
        f'<td class="long">{_name(x.other)}</td>'
        f"{_cell(f'{x.n_rows:,}')}{_cell(f'{x.expected:.1f}')}"
        f"{_cell(f'{x.correlation:.2f}')}</tr>"
        for x in together.itertuples()
    )
    caption = f"{counted(len(together), 'pair')} of columns missing together"
    return _first(caption, len(together), "closest", heads, rows)


def _imputers(findings: Findings) -> str:
    comparison = findings.comparison
    n_named = comparison.by_column["enough"].value_counts()
    rows = []
    for name, found in comparison.overall.iterrows():
        chosen = ' class="chosen"' if name == comparison.chosen else ""
        advised = " (advised)" if chosen else ""
        errors = (
            _overall(found["numbers"], False) + _overall(found["levels"], True)
            if pd.isna(found["failure"])
            else f'<td class="long" colspan="2">failed: {text(found["failure"])}</td>'
        )
        words = text(IMPUTERS[name])
        rows.append(
            f'<tr{chosen}><th scope="row">{text(name)}{advised}</th>'
            f'<td class="long">{words}</td>{errors}'
            f"{_cell(f'{n_named.get(name, 0)}')}</tr>"
        )
    heads = [
        *(("", "Imputer"), ("long", "What it fills in"), ("graph", "Error of numbers")),
        *(("graph", "Wrong levels"), ("number", "Columns it is enough for")),
    ]
    advice = "</p><p>".join(text(x) for x in comparison.advice.split("\n"))
    caption = f"Errors of {len(rows)} imputers in the same hidden cells"
    if "iterative" not in comparison.overall.index:
        caption += (
            ", without chained regressions, which take too long with more than "
            f"{MAX_REGRESSED} columns, where each level counts as one"
        )
    return (
        "<p>From simple to complex. An imputer is enough for a column if it is the "
        "simplest that is not clearly worse than the best.</p>"
        f"{_table(caption, heads, rows)}"
        f"<p>{advice}</p>"
    )


def _overall(error: float, is_levels: bool) -> str:
    drawn = "" if pd.isna(error) else bar(error / (1 if is_levels else _LONGEST_ERROR))
    return f'<td class="graph">{_error(error, is_levels)}{drawn}</td>'


def _distributions(findings: Findings) -> str:
    found = findings.distributions
    if not found:
        return "<p>Nothing was imputed.</p>"
    order = sorted(found, key=lambda name: -int(found[name].imputed.sum()))
    cards = "".join(
        _card(name, found[name], f"chart-{k}")
        for k, name in enumerate(order[:_MAX_CHARTS])
    )
    more = ""
    if len(order) > _MAX_CHARTS:
        more = (
            f"<p>Shown are the {_MAX_CHARTS} columns with the most imputed cells, of "
            f"{len(order)}.</p>"
        )
    return (
        "<p>Imputed numbers are the means of what is likely, so they scatter less than "
        "observed ones, and do not look like them where missing cells are unlike "
        "observed cells. For draws that scatter as they should, use "
        f'<code>impute_multiple</code>.</p>{more}<div class="cards">{cards}</div>'
    )


def _card(name: Hashable, found: Distribution, id_: str) -> str:
    n_observed, n_imputed = int(found.observed.sum()), int(found.imputed.sum())
    names = f"observed ({n_observed:,})", f"imputed ({n_imputed:,})"
    if found.levels:
        return (
            f"<figure><h3>{_name(name)}</h3>{_level_bars(name, found, names)}</figure>"
        )
    said = "; ".join(
        f"{who}: median {shown(q[1])}, half between {shown(q[0])} and {shown(q[2])}"
        for who, q in zip(
            names, (found.observed_quartiles, found.imputed_quartiles), strict=True
        )
    )
    title = f"{_plain(shortened(name))}: observed and imputed numbers"
    picture = mirrored(
        found.observed, found.imputed, _ticks(found.edges), title, said, names, id_
    )
    return (
        f"<figure><h3>{_name(name)}</h3>{picture}"
        f"<figcaption>{text(said.capitalize())}.</figcaption></figure>"
    )


def _ticks(edges: Sequence[Any]) -> list[tuple[float, str]]:
    """Return labels of the ends and the middle; of bins of one number, that number."""
    low, high, at = edges[0], edges[-1], (0.0, 0.5, 1.0)
    if isinstance(low, int):  # a bin holds one number
        half = 0.5 / (high - low)
        return sorted({(half, str(low)), (1 - half, str(high - 1))})
    values = (low, low + (high - low) / 2, high)
    return [(place, shown(value)) for place, value in zip(at, values, strict=True)]


def _level_bars(name: Hashable, found: Distribution, names: tuple[str, str]) -> str:
    """Return a table with two bars for each level."""
    shares = [x / max(x.sum(), 1) for x in (found.observed, found.imputed)]
    rows = "".join(
        f'<tr><th scope="row"><bdi>{text(shown(level))}</bdi></th>'
        + "".join(f'<td class="graph">{_share(x[k])}{bar(x[k])}</td>' for x in shares)
        + "</tr>"
        for k, level in enumerate(found.levels)
    )
    heads = "".join(f'<th scope="col">{x}</th>' for x in names)
    return (
        f'<div class="scroll"><table><caption class="hidden">{_name(name)}: observed '
        'and imputed levels</caption><thead><tr><th scope="col">level</th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cells(findings: Findings) -> str:
    return (
        "<h3>Odd: observed, but unlike the rest of their rows</h3>"
        + _odd(findings)
        + "<h3>Extrapolated: imputed, but with little to go by</h3>"
        + _extrapolated(findings)
    )


def _odd(findings: Findings) -> str:
    odd, n_odd = findings.odd, int(findings.columns["n_odd"].sum())
    if odd.empty:
        return "<p>No observed cell is too unlikely to be chance.</p>"
    heads = [
        *(("", "Row"), ("long", "Column"), ("number", "Observed")),
        *(("number", "Expected from its row"), ("number", "One in so many cells")),
    ]
    rows = (
        f'<tr><td>{text(shown(x.row))}</td><td class="long">{_name(x.column)}</td>'
        f'<td class="number"><bdi>{text(shown(x.observed))}</bdi></td><td '
        f'class="number"><bdi>{text(shown(x.expected))}</bdi>{_interval(x)}</td>'
        f'<td class="number">{_odds(x.score)}</td></tr>'
        for x in odd.itertuples()
    )
    caption = counted(n_odd, "odd cell")
    return _first(caption, n_odd, "unlikeliest", heads, rows)


def _interval(x: Any) -> str:
    if pd.isna(x.lower):
        return ""
    ends = f"{text(shown(x.lower))} to {text(shown(x.upper))}"
    return f'<br><span class="soft">{ends}</span>'


def _odds(score: float) -> str:
    """Return how many cells there are for one so unlikely."""
    if score > np.log(1e9):
        return "&gt; 1,000,000,000"
    return f"{float(f'{np.exp(score):.2g}'):,.0f}"


def _extrapolated(findings: Findings) -> str:
    cells, n_imputed = findings.extrapolated, int(findings.columns["n_imputed"].sum())
    if cells.empty:
        return "<p>No imputed cell is extrapolated.</p>"
    rows = (
        f'<tr><td>{text(shown(x.row))}</td><td class="long">{_name(x.column)}</td>'
        f'<td class="number"><bdi>{text(shown(x.imputed))}</bdi></td>'
        f'<td class="long">{_WHY[x.why]}</td></tr>'
        for x in cells.itertuples()
    )
    caption = f"{len(cells):,} of {counted(n_imputed, 'imputed cell')}"
    heads = (("", "Row"), ("long", "Column"), ("number", "Imputed"), ("long", "Why"))
    return _first(caption, len(cells), "first", heads, rows)


def _how(findings: Findings) -> str:
    terms = {
        "Filled": (
            f"“well” where at least {WELL:.0%} of the mean's squared error, or of its "
            f"wrong levels, are avoided; “partly” from {PARTLY:.0%} on; else “hardly”; "
            f"“untested” with fewer than {FEWEST_HIDDEN} hidden cells."
        ),
        "Calibration": (
            f"of numbers, how many hidden ones lay within intervals that are to hold "
            f"{LEVEL:.0%}, and the share's 95% interval (Wilson's, cells counted as "
            "independent); of levels, how sure the imputer said to be and how often it "
            "was right. The mark is what should be."
        ),
        "Enough": "the simplest imputer that is not clearly worse than the best.",
        "Odd": (
            "an observed cell so unlikely, given the rest of its row, that of twenty "
            "tables of this size without odd cells at most one would have such a cell, "
            "if the model is right."
        ),
        "Extrapolated": (
            "an imputed number beyond the observed ones of its column or among their "
            "outermost 1% at either end; or a cell of a row that holds an odd cell or "
            "nothing at all."
        ),
        "Missing together": (
            "in more rows than if columns were missing independently, where of twenty "
            "such tables at most one would show a pair (Fisher's exact test, "
            "Bonferroni's correction)."
        ),
        "Row": "the row's label in the table's index.",
    }
    listed = "".join(f"<dt><b>{k}</b></dt><dd>{x}</dd>" for k, x in terms.items())
    rows = "all rows"
    if findings.n_rows_seen < findings.n_rows:
        rows = f"{findings.n_rows_seen:,} of {findings.n_rows:,} rows, drawn by chance"
    return (
        f"<dl>{listed}</dl><p>Missing cells are counted in all rows. Errors, imputed, "
        f"odd and extrapolated cells are those of {rows}.</p>"
    )
