"""How our method compares with its rivals on a suite, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from textwrap import fill
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks import markdown, plots, ranking
from benchmarks.methods import JUDGED
from benchmarks.protocol import METRICS, Case, Rows, check_same_cells
from benchmarks.ranking import ACCURACY, ALPHA, BEST, RMSE, UNIT, Metric
from benchmarks.suites import Suite

FIGURES = "figures"


def wanted_cases(suite: Suite, rows: Rows) -> list[Case]:
    """Return the cases of a suite; if it names no tables, of those with results."""
    found = tuple(dict.fromkeys(case.dataset for case in rows))
    return list(suite.cases(datasets=suite.datasets or found))


def _setting(mechanism: str, rate: float) -> str:
    return f"{mechanism} {100 * rate:.0f} %"


class Column(NamedTuple):
    """A column of a table of methods: a score, and how its mean is shown."""

    title: str
    key: str
    form: str = ".3f"
    is_log: bool = False


QUALITY = (
    Column("RMSE, new ÷ fitted rows", "log_new_ratio", is_log=True),
    Column("energy distance", "energy_distance", ".4f"),
    Column("CRPS", "crps", ".4f"),
    Column("coverage at 95 %", "coverage"),
    Column("interval score", "interval_score"),
    Column("log-loss", "log_loss"),
)
DOWNSTREAM = (
    Column("boosting − with gaps", "boosting_less_native", "+.4f"),
    Column("linear − with gaps", "linear_less_native", "+.4f"),
    Column("boosting − complete", "boosting_less_complete", "+.4f"),
    Column("linear − complete", "linear_less_complete", "+.4f"),
)
SUMMARY_HEADER = [
    *("rival", "RMSE ratio", "cases", "MAE ratio", "cases"),
    *("accuracy difference", "cases", "wins–ties–losses"),
    *("failed", "processor s, median", "ratio of sums", "cases"),
]
SUMMARY_NOTE = f"""\
Ratios are `{JUDGED}` ÷ rival: geometric means over the cases that both finished, and
`{JUDGED}` errs less where they are below 1. The accuracy difference is `{JUDGED}` −
rival, on nominal columns. Wins, ties and losses are by RMSE, over pairs of table and
setting, means of the masks that both methods have; up to {100 * RMSE.tolerance} % is a
tie. Processor seconds are those of all cores for fitting and filling; they depend less
on what else a machine does, and the oldest rows have none. The best rival of each case
is picked with the truth in hand, which nobody has who has gaps to fill."""
RANK_NOTE = """\
Masks of a table hide cells of the same rows and are not independent: they are averaged
before methods are ranked and tested."""
RANK_IMAGE_NOTE = f"""\
Over what all finished. Hollow: told apart from the best, p < {ALPHA:.2f} by signed-rank
tests over pairs of table and setting with Holm's correction. A bar joins the others."""
SIGNIFICANCE_NOTE = f"""\
Wilcoxon's signed-rank tests of `{JUDGED}` against each rival, two-sided, with Holm's
correction for the number of rivals. The settings of one table are related, so that p
over pairs of table and setting is too small; p over tables is that of the mean lead in
each table."""
SIGNIFICANCE_HEADER = [
    *("rival", "RMSE: pairs", "p", "tables", "p"),
    *("accuracy: pairs", "p", "tables", "p"),
]
SETTING_NOTE = f"RMSE of `{JUDGED}` ÷ rival, geometric means over the cases of both."
LOSS_NOTE = f"""\
Some rival is better than `{JUDGED}`, by more than {100 * RMSE.tolerance} % of RMSE or
{ACCURACY.tolerance} of accuracy, {{}} pairs of table and setting: means of the masks
that both methods have, the greatest losses first."""
QUALITY_NOTE = """\
Means over those *cases* that all methods with a figure finished; the ratio's is
geometric. Energy distances are those of draws, if a method draws."""
DOWNSTREAM_NOTE = """\
R² or AUC, on new rows, of models fitted to filled rows, less that of a model that was
given no gaps (*complete*) or gaps (*with gaps*: boosting as they are, linear models as
column means with indicators of what is missing): larger is better."""
COST_NOTE = "Over the cases that a method finished. MiB are those of its whole process."
COSTS = {
    "fit_seconds": "fit s",
    "processor_seconds": "processor s",
    "new_ms_per_1000": "ms per 1,000 new rows",
    "peak_mib": "peak MiB",
    "pickle_mib": "pickle MiB",
}
SCORES = (
    *("rmse", "mae", "accuracy", "log_loss", "new_rmse", "energy_distance"),
    *("crps", "coverage", "interval_score"),
    *("downstream_boosting", "downstream_linear"),
    *("downstream_boosting_native", "downstream_linear_native"),
    *("downstream_boosting_complete", "downstream_linear_complete"),
    *("n_rows", "n_columns", *COSTS),
)


def results_of(cases: Iterable[Case], rows: Rows) -> pd.DataFrame:
    """Return one row per case that was run, with all scores, NaN where there is none.

    Raises
    ------
    ValueError
        If methods were given different cells.
    """
    check_same_cells(rows)
    found = pd.DataFrame([rows[case] for case in cases if case in rows])
    columns = [*Case._fields, "error", "environment", *SCORES]
    results = found.reindex(columns=columns).astype(dict.fromkeys(SCORES, float))
    boosting, linear = results["downstream_boosting"], results["downstream_linear"]
    return results.assign(
        log_new_ratio=np.log(results["new_rmse"] / results["rmse"]),
        boosting_less_native=boosting - results["downstream_boosting_native"],
        linear_less_native=linear - results["downstream_linear_native"],
        boosting_less_complete=boosting - results["downstream_boosting_complete"],
        linear_less_complete=linear - results["downstream_linear_complete"],
    )


def render_comparison(
    cases: list[Case], results: pd.DataFrame, figures: list[str]
) -> str:
    """Return how the judged method compares with its rivals, as Markdown."""
    status = _status(cases, results)
    if results.empty:
        return status
    sections = {
        "Against each rival": (SUMMARY_NOTE, _summary(results)),
        "Ranks": (*_ranks(results, figures), SIGNIFICANCE_NOTE, _significance(results)),
        "By setting": (SETTING_NOTE, _by_setting(results)),
        f"Where `{JUDGED}` is worse": _losses(results),
        "New rows, draws and distributions": (
            QUALITY_NOTE,
            _means_table(results, QUALITY),
        ),
        "Models fitted to filled tables": (
            DOWNSTREAM_NOTE,
            _means_table(results, DOWNSTREAM),
        ),
        "Cost": _costs(results, figures),
        "Failures": _failures(results),
        "Environments": ["\n".join(markdown.environments(results.to_dict("records")))],
    }
    paragraphs = [status]
    for title, found in sections.items():
        paragraphs += [f"### {title}", *map(_wrapped, filter(None, found))]
    return "\n\n".join(paragraphs)


def _wrapped(text: str) -> str:
    """Return prose in lines; tables, lists and images as they are."""
    return text if text.startswith(("|", "-", "!")) else fill(text, 88)


def _status(cases: list[Case], results: pd.DataFrame) -> str:
    n_failed = results["error"].notna().sum()
    text = f"{len(results)} of {len(cases)} cases are done; {n_failed} of them failed."
    wanted = dict.fromkeys(case.method for case in cases)
    idle = [f"`{name}`" for name in wanted if name not in set(results["method"])]
    return text + (f" Not run yet: {', '.join(idle)}." if idle else "")


def _summary(results: pd.DataFrame) -> str:
    """Return a line for the judged method and one for each rival."""
    own = {
        method: [
            f"{group['error'].count()} of {len(group)}",
            markdown.number(group["processor_seconds"].median(), ".1f"),
        ]
        for method, group in results.groupby("method", sort=False)
    }
    lines = [[JUDGED, *[""] * 7, *own[JUDGED], "", ""]] if JUDGED in own else []
    for rival, row in ranking.summary(results, JUDGED).iterrows():
        ratios = [
            *(markdown.number(row["rmse"]), f"{row['n_rmse']}"),
            *(markdown.number(row["mae"]), f"{row['n_mae']}"),
            *(markdown.number(row["accuracy"], "+.4f"), f"{row['n_accuracy']}"),
            "–".join(map(str, row["outcomes"])),
        ]
        seconds = markdown.three_digits(row["seconds"]), f"{row['n_seconds']}"
        lines.append([rival, *ratios, *own.get(rival, ["", ""]), *seconds])
    return markdown.table(SUMMARY_HEADER, lines)


def _ranks(results: pd.DataFrame, figures: list[str]) -> list[str]:
    """Return mean ranks, of what all methods finished and with failures last."""
    ranks, notes = {}, []
    for metric in (RMSE, ACCURACY):
        finished = ranking.finished(ranking.scores(results, metric.key))
        failing = ranking.failures_last(results, metric)
        label = METRICS[metric.key]
        ranks[label] = ranking.mean_ranks(finished, metric)
        ranks[f"{label}, failures last"] = ranking.mean_ranks(failing, metric)
        notes.append(_rank_note(label, finished, failing))
    frame = pd.DataFrame(ranks).sort_values(list(ranks)[1], kind="stable")
    n_failed = results.groupby("method")["error"].count()
    lines = (
        [method, *(markdown.number(rank, ".2f") for rank in row), f"{n_failed[method]}"]
        for method, row in zip(frame.index, frame.to_numpy(), strict=True)
    )
    table = markdown.table(["mean rank by", *ranks, "failed"], lines)
    image = _images(figures, "ranks")
    return [RANK_NOTE, "\n".join(notes), table, image, image and RANK_IMAGE_NOTE]


def _rank_note(label: str, finished: pd.DataFrame, failing: pd.DataFrame) -> str:
    if finished.empty:
        return f"- By {label}, there is no case that all methods finished."
    n_tables = finished.index.get_level_values("dataset").nunique()
    p_value = _p_value(ranking.friedman(finished))
    return (
        f"- By {label}, {finished.shape[1]} methods: each finished {len(finished)} "
        f"cases, which are {len(ranking.by_unit(finished))} pairs of table and setting "
        f"and {n_tables} tables. Friedman's test of their being alike there: p = "
        f"{p_value}. With failures last, {len(failing)} cases, "
        f"{len(ranking.by_unit(failing))} pairs."
    )


def _p_value(p_value: float) -> str:
    return markdown.number(p_value, ".4f" if not p_value < 1e-4 else ".0e")


def _significance(results: pd.DataFrame) -> str:
    """Return the p-values against each rival, by both scores."""
    tests = [
        ranking.significance(ranking.scores(results, metric.key), JUDGED, metric)
        for metric in (RMSE, ACCURACY)
    ]
    frame = pd.concat(tests, axis=1)
    lines = []
    for rival, row in zip(frame.index, frame.to_numpy(), strict=True):
        pairs = zip(row[::2], row[1::2], strict=True)
        cells = ((markdown.number(n, ".0f"), _p_value(p_value)) for n, p_value in pairs)
        lines.append([rival, *chain.from_iterable(cells)])
    return markdown.table(SIGNIFICANCE_HEADER, lines)


def _by_setting(results: pd.DataFrame) -> str:
    ratios = ranking.ratios_by_setting(results, JUDGED)
    lines = (
        [_setting(*setting), *map(markdown.number, row)]
        for setting, row in zip(ratios.index, ratios.to_numpy(), strict=True)
    )
    return markdown.table(["setting", *ratios], lines)


def _losses(results: pd.DataFrame) -> list[str]:
    """Return each table and setting where a rival is better, and by how much."""
    lines, counts = [], []
    for metric in (RMSE, ACCURACY):
        table = ranking.scores(results, metric.key)
        lost = ranking.losses(table, JUDGED, metric).groupby(level=UNIT, sort=False)
        both = ranking.pair(ranking.with_best(table, JUDGED, metric), JUDGED, BEST)
        n_pairs = len(ranking.by_unit(both))
        label = METRICS[metric.key]
        counts.append(f"by {label} in {lost.ngroups} of {n_pairs}")
        for (dataset, *setting), group in lost:
            rivals = (
                f"`{row.rival}` {row.score:.4f} against {row.judged:.4f}"
                for row in group.itertuples()
            )
            lines.append([dataset, _setting(*setting), label, "; ".join(rivals)])
    header = ["table", "setting", "score", f"better than `{JUDGED}`"]
    listed = markdown.table(header, lines, texts=4) if lines else ""
    return [LOSS_NOTE.format(" and ".join(counts)), listed]


def _means_table(results: pd.DataFrame, columns: Iterable[Column]) -> str:
    """Return means per method, of the problems that all with a value finished."""
    shown = {}
    for column in columns:
        means, n_problems = ranking.shared_mean(results, column.key)
        means = np.exp(means) if column.is_log else means
        texts = {
            method: markdown.number(value, column.form)
            for method, value in means.items()
        }
        shown[column.title] = texts | {"*cases*": f"{n_problems}"}
    lines = (
        [name, *(texts.get(name, "–") for texts in shown.values())]
        for name in [*results["method"].unique(), "*cases*"]
    )
    return markdown.table(["method", *shown], lines)


def _costs(results: pd.DataFrame, figures: list[str]) -> list[str]:
    """Return medians over the cases that a method finished, and figures."""
    of_method = results[results["error"].isna()].groupby("method", sort=False)
    medians, sizes = of_method[list(COSTS)].median(), of_method.size()
    lines = (
        [method, f"{sizes[method]}", *map(markdown.three_digits, row)]
        for method, row in zip(medians.index, medians.to_numpy(), strict=True)
    )
    table = markdown.table(["median of", "cases", *COSTS.values()], lines)
    return [
        COST_NOTE,
        table,
        *(_images(figures, name) for name in ("seconds", "sizes")),
    ]


def _images(figures: list[str], name: str) -> str:
    """Return the image of that name, if it could be drawn."""
    return "\n".join(
        f"![{plots.TITLES[name]}]({FIGURES}/{file})"
        for file in figures
        if file.endswith(f"_{name}.svg")
    )


def _failures(results: pd.DataFrame) -> list[str]:
    """Return the cases that failed, those of one method and error together."""
    failed = results[results["error"].notna()]
    first_lines = failed["error"].map(markdown.first_line)
    lines = []
    for (method, error), group in failed.groupby(["method", first_lines], sort=False):
        masks = group.groupby(UNIT, sort=False)["mask"].agg(list)
        places = (
            f"{dataset} {_setting(*setting)} mask {', '.join(map(str, found))}"
            for (dataset, *setting), found in masks.items()
        )
        lines.append(f"- `{method}`, {len(group)} cases: {error} ({'; '.join(places)})")
    return ["\n".join(lines) or "None."]


def render_cases(cases: list[Case], results: pd.DataFrame) -> str:
    """Return the scores of each table, setting and method as Markdown."""
    parts = []
    for setting, group in results.groupby(["mechanism", "rate"], sort=False):
        for metric in (RMSE, ACCURACY):
            table = _cases_table(group, metric)
            title = f"## {METRICS[metric.key]}, {_setting(*setting)}"
            parts += [title, table] if table else []
    return "\n\n".join(parts or [_status(cases, results)])


def _cases_table(results: pd.DataFrame, metric: Metric) -> str:
    """Return tables × methods of one setting: means over masks, the best in bold."""
    means = ranking.by_unit(ranking.scores(results, metric.key))
    if means.empty:
        return ""
    n_failed = results.groupby(["dataset", "method"])["error"].count()
    best = means.min(axis=1) if metric.is_error else means.max(axis=1)
    lines = []
    for unit, row in means.iterrows():
        line = [unit[0]]
        for method, score in row.items():
            text = markdown.number(score, ".4f")
            text = f"**{text}**" if score == best[unit] else text
            n = n_failed.get((unit[0], method), 0)
            line.append(f"{text} ({n} failed)" if n else text)
        lines.append(line)
    return markdown.table(["table", *means], lines)
