"""What more or less training gives: errors and processor time beside those of rivals.

Steps of training and networks from none to many times the default, on the headline
suite's first mask.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import markdown
from benchmarks.methods import METHODS
from benchmarks.problems import Problem
from benchmarks.scores import Answers, of_cells, standard_deviations
from benchmarks.suites import SUITES
from benchmarks.uses.study import Study
from vaeimpute import VAEImputer

TABLES = ("concrete", "wine_white", "california", "letter")
BATCH_ROWS = 256

#: Steps at most and networks, by what the page calls them.
EFFORTS = {
    "500 steps, 1 network": (500, 1),
    "1,000 steps, 1 network": (1_000, 1),
    "4,000 steps, 2 networks": (4_000, 2),
    "8,000 steps, 4 networks": (8_000, 4),
}
CORE, DEFAULT = "the core alone", "default"
RIVALS = ("iterative", "em-gaussian", "missforest")


def cases():
    for table in TABLES:
        for method in (*RIVALS, CORE, *EFFORTS, DEFAULT):
            yield table, method


def solve(table: str, method: str, folder: Path | None) -> dict:
    import keras  # noqa: F401  not part of a fit's seconds

    suite = SUITES["headline"]
    problem = Problem.of(suite.load(table, folder), "mcar", 0.3, 0, suite.new_share)
    part = problem.fitted
    imputer = _imputer(method, len(part.rows))
    start = time.process_time()
    filled = imputer.fit_transform(part.incomplete)
    seconds = time.process_time() - start
    scores = of_cells(part, Answers(pd.DataFrame(filled)), standard_deviations(part))
    return {"seconds": seconds} | scores


def _imputer(method: str, n_rows: int):
    if method in RIVALS:
        return METHODS[method].make()
    if method == CORE:
        return VAEImputer(hidden_layer_sizes=(), random_state=0)
    if method == DEFAULT:
        return VAEImputer(random_state=0)
    n_steps, n_networks = EFFORTS[method]
    return VAEImputer(
        max_iter=math.ceil(n_steps / math.ceil(n_rows / BATCH_ROWS)),
        batch_size=BATCH_ROWS,
        n_networks=n_networks,
        random_state=0,
    )


def render(rows: pd.DataFrame) -> str:
    rmse = rows.pivot(index="method", columns="table", values="rmse")
    seconds = rows.pivot(index="method", columns="table", values="seconds")
    lines = []
    for method in (*RIVALS, CORE, *EFFORTS, DEFAULT):
        if method not in rmse.index:
            continue
        ratios = [_mean_ratio(rmse, method, rival) for rival in RIVALS]
        of_forest = _mean_ratio(seconds, method, "missforest")
        name = f"`{method}`" if method in RIVALS else method
        lines.append([name, *(markdown.number(x) for x in (*ratios, of_forest))])
    lines.sort(key=lambda line: float(line[-1]))
    header = ["", *(f"RMSE ÷ `{rival}`" for rival in RIVALS), "time ÷ `missforest`"]
    return markdown.table(header, lines)


def _mean_ratio(figures: pd.DataFrame, method: str, other: str) -> float:
    if other not in figures.index:
        return math.nan
    return float(np.exp(np.log(figures.loc[method] / figures.loc[other]).mean()))


STUDY = Study(
    "effort",
    ("table", "method"),
    cases,
    solve,
    render,
    page="benchmarks.md",
    takes_folder=True,
)
