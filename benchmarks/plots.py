"""Figures of a suite's results, as SVG files that depend on nothing but the results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import ranking
from benchmarks.ranking import ALPHA, RMSE

BASELINE = "mean"
WIDTH = 7.0  # inches
# A page may be dark or light: figures bring their own background.
STYLE = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8e8e8",
    "svg.fonttype": "none",
    "svg.hashsalt": "vaeimpute",
}
JUDGED_LOOK = ("#c2410c", "o")
# Colours of Okabe and Ito that all eyes tell apart, less those near the judged one's.
LOOKS = [
    *(("#0072b2", "s"), ("#009e73", "D"), ("#aa4499", "^"), ("#1295b5", "v")),
    *(("#8a6d00", "P"), ("#444444", "X"), ("#7b61c4", "p"), ("#999999", "h")),
]


class Looks:
    """The colour and marker of each method, the same in all figures."""

    def __init__(self, methods: Iterable[str], judged: str) -> None:
        self.judged = judged
        rivals = [method for method in methods if method != judged]
        self._of = {rival: LOOKS[i % len(LOOKS)] for i, rival in enumerate(rivals)}
        self._of[judged] = JUDGED_LOOK

    def point(self, method: str) -> dict[str, str]:
        color, marker = self._of[method]
        return {"color": color, "marker": marker}

    def text(self, method: str) -> dict[str, str]:
        weight = "bold" if method == self.judged else "normal"
        return {"color": self._of[method][0], "fontweight": weight, "va": "center"}


def write(results: pd.DataFrame, judged: str, folder: Path, suite: str) -> list[str]:
    """Write those figures that the results suffice for; return the names of files."""
    folder.mkdir(parents=True, exist_ok=True)
    looks = Looks(results["method"].unique(), judged)
    names = []
    for name, draw in FIGURES.items():
        path = folder / f"{suite}_{name}.svg"
        with mpl.rc_context(STYLE):
            figure = draw(results, looks)
            if figure is None:
                path.unlink(missing_ok=True)  # of other results
                continue
            figure.savefig(path, metadata={"Date": None, "Creator": None})
        names.append(path.name)
    return names


def draw_ranks(results: pd.DataFrame, looks: Looks) -> Figure | None:
    """Draw mean ranks, with those joined that the best is not told apart from."""
    table = ranking.finished(ranking.scores(results, "rmse"))
    if table.empty or table.shape[1] < 2:
        return None
    means = ranking.mean_ranks(table, RMSE)
    p_values = ranking.significance(table, means.index[0], RMSE)["p_units"]
    apart = p_values.index[p_values < ALPHA]

    figure, axes = _axes(0.8 + 0.28 * len(means))
    for height, (method, rank) in enumerate(means.items()):
        fill = {"markerfacecolor": "white"} if method in apart else {}
        axes.hlines(height, 0.8, rank, color="#dddddd", linewidth=1)
        axes.plot(rank, height, markersize=7, **looks.point(method), **fill)
        _label(axes, f"{method}  {rank:.2f}", rank, height, looks.text(method))
    joined = means.drop(apart)
    axes.plot([joined.min(), joined.max()], [-0.8, -0.8], color="#444444", linewidth=4)
    axes.set(xlim=(0.8, len(means) + 1.0), ylim=(len(means) - 0.4, -1.3))
    axes.set(xticks=range(1, len(means) + 1), yticks=[])
    axes.set_xlabel("mean rank by RMSE, 1 is best")
    axes.spines["left"].set_visible(False)
    return figure


def draw_seconds(results: pd.DataFrame, looks: Looks) -> Figure | None:
    """Draw RMSE relative to the mean's, and seconds, of problems that all solved."""
    table = ranking.finished(ranking.scores(results, "rmse"))
    if table.empty or BASELINE not in table:
        return None
    logs = np.log(table.div(table[BASELINE], axis=0))
    errors = np.exp(logs.mean())
    seconds = ranking.scores(results, "fit_seconds").loc[table.index].median()
    seconds = seconds.clip(lower=1e-3)

    figure, axes = _axes(3.8)
    axes.set(xscale="log", xlim=(seconds.min() / 2, seconds.max() * 8))
    axes.set_xlabel("seconds to fit, median")
    axes.set_ylabel(f"RMSE ÷ that of the {BASELINE}, geometric mean")
    heights = _spread(errors, 0.04 * np.ptp(errors))
    for method, error in errors.items():
        axes.plot(seconds[method], error, markersize=8, **looks.point(method))
        _label(axes, method, seconds[method], heights[method], looks.text(method))
    return figure


def draw_sizes(results: pd.DataFrame, looks: Looks) -> Figure | None:
    """Draw the seconds to fit against the cells of a table."""
    done = results.dropna(subset=["fit_seconds"])
    if done.empty:
        return None
    n_cells = done["n_rows"] * done["n_columns"]
    seconds = done["fit_seconds"].clip(lower=1e-3)
    done = done.assign(n_cells=n_cells, log_seconds=np.log10(seconds))
    medians = done.groupby(["n_cells", "method"])["log_seconds"].median().unstack()

    figure, axes = _axes(4.2)
    axes.set(xscale="log", xlabel="cells of the table, rows × columns")
    axes.set(xlim=(n_cells.min() / 1.3, n_cells.max() * 2.6))
    axes.set_ylabel("seconds to fit, median")
    ends = {method: medians[method].dropna() for method in medians}
    heights = _spread(
        pd.Series({method: line.iloc[-1] for method, line in ends.items()}),
        0.05 * np.nanmax(medians) - 0.05 * np.nanmin(medians),
    )
    for method, line in ends.items():
        look = looks.point(method) | {"markersize": 4, "linewidth": 1.2}
        axes.plot(line.index, line, **look)
        _label(axes, method, line.index[-1], heights[method], looks.text(method))
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(lambda power, _: f"{10.0**power:g}")
    return figure


FIGURES = {"ranks": draw_ranks, "seconds": draw_seconds, "sizes": draw_sizes}
# What stands for a figure where it cannot be seen.
TITLES = {
    "ranks": "Mean ranks of the methods by RMSE",
    "seconds": "RMSE of the methods against seconds to fit",
    "sizes": "Seconds to fit against the size of the table",
}


def _axes(height: float) -> tuple[Figure, Axes]:
    # A figure of its own, not of pyplot's, which would keep it for the whole session.
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _label(axes: Axes, text: str, x: float, y: float, look: dict[str, str]) -> None:
    axes.annotate(text, (x, y), (8, 0), textcoords="offset points", **look)


def _spread(heights: pd.Series, gap: float) -> pd.Series:
    """Return heights of labels near these, no two of them closer than the gap."""
    ordered = heights.sort_values(kind="stable")
    steps = gap * np.arange(len(ordered))
    # Less equal steps, heights that keep the gap do not fall.
    return pd.Series((ordered - steps).cummax() + steps, ordered.index)
