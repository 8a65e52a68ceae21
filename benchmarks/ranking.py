"""Statistics of a suite's results: ratios, wins and losses, ranks, significance.

Results are a data frame with one row per case that was run: the fields of the case,
`error`, which is None or a text, and the scores, NaN where there is none. A *problem*
is what methods were given: a table, a mechanism, a rate and a mask. A *unit* is the
problems that differ by the mask only. They hide cells of the same table, so that they
are not independent: they are averaged before anything is ranked or tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, nan
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, wilcoxon

UNIT = ["dataset", "mechanism", "rate"]
PROBLEM = [*UNIT, "mask"]
BEST = "best rival of each case"
ALPHA = 0.05  # of what counts as told apart


@dataclass(frozen=True)
class Metric:
    """A score: an error, compared by ratios, or a share, compared by differences.

    Two scores that differ by no more than the tolerance are a tie: a share of the
    larger error, or a difference of shares.
    """

    key: str
    is_error: bool
    tolerance: float = 0.005

    def lead(self, judged: Any, rival: Any) -> Any:
        """Return by how much `judged` is better: a log-ratio, or a difference."""
        return np.log(rival / judged) if self.is_error else judged - rival

    @property
    def least_lead(self) -> float:
        return -log(1 - self.tolerance) if self.is_error else self.tolerance

    @property
    def worst(self) -> float:
        return inf if self.is_error else -inf


RMSE = Metric("rmse", is_error=True)
MAE = Metric("mae", is_error=True)
ACCURACY = Metric("accuracy", is_error=False)


def scores(results: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return a score as problems × methods, of problems where any method has it."""
    methods = results["method"].unique()
    by_case = results.set_index([*PROBLEM, "method"])[key]
    problems = by_case.index.droplevel("method").unique()
    # Before pandas 3, `unstack(sort=False)` puts values into wrong cells.
    table = by_case.unstack().reindex(index=problems, columns=methods)
    return table.astype(float).dropna(how="all")


def finished(table: pd.DataFrame) -> pd.DataFrame:
    """Return the problems in which all methods have a score; methods with none go."""
    return table.dropna(axis=1, how="all").dropna()


def failures_last(results: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return scores in which each failure has the worst; problems not run by all go.

    A method that finished without any such score is not ranked by it.
    """
    table = scores(results, metric.key)
    marked = results.assign(failed=results["error"].notna().astype(float))
    failed = scores(marked, "failed").loc[table.index]
    ranked = table.notna().any() | ((failed == 1).any() & ~(failed == 0).any())
    return finished(table.mask(failed == 1, metric.worst).loc[:, ranked])


def by_unit(table: pd.DataFrame) -> pd.DataFrame:
    """Return means over masks."""
    return table.groupby(level=UNIT, sort=False).mean()


def with_best(table: pd.DataFrame, judged: str, metric: Metric) -> pd.DataFrame:
    """Add the best rival of each problem, which nobody can pick without the truth."""
    rivals = table.drop(columns=judged, errors="ignore")
    best = rivals.min(axis=1) if metric.is_error else rivals.max(axis=1)
    return table.assign(**{BEST: best})


def pair(table: pd.DataFrame, judged: str, rival: str) -> pd.DataFrame:
    """Return the scores of two methods, `judged` and `rival`, where both have one."""
    both = table.reindex(columns=[judged, rival]).dropna()
    return both.set_axis(["judged", "rival"], axis=1)


def leads(both: pd.DataFrame, metric: Metric) -> pd.Series:
    """Return by how much `judged` is better in each row of a pair."""
    return metric.lead(both["judged"], both["rival"])


def mean_ratio(both: pd.DataFrame) -> float:
    """Return the geometric mean of `judged` ÷ `rival`; NaN without rows."""
    return float(np.exp(np.log(both["judged"] / both["rival"]).mean()))


class Outcomes(NamedTuple):
    wins: int
    ties: int
    losses: int


def outcomes(both: pd.DataFrame, metric: Metric) -> Outcomes:
    """Return how often `judged` is better, as good and worse, over units."""
    lead = leads(by_unit(both), metric)
    n_wins = int((lead > metric.least_lead).sum())
    n_losses = int((lead < -metric.least_lead).sum())
    return Outcomes(n_wins, len(lead) - n_wins - n_losses, n_losses)


def losses(table: pd.DataFrame, judged: str, metric: Metric) -> pd.DataFrame:
    """Return the units and rivals that are better than `judged`, worst first.

    Columns `rival`, `judged`, `score` (the rival's) and `lead`, which is negative; the
    index is the unit. Both scores are means of the masks that both methods have.
    """
    found = []
    for rival in table.columns.drop(judged, errors="ignore"):
        both = by_unit(pair(table, judged, rival))
        both = both.rename(columns={"rival": "score"}).assign(rival=rival)
        both["lead"] = metric.lead(both["judged"], both["score"])
        found.append(both[both["lead"] < -metric.least_lead])
    if not found:
        return by_unit(table[:0]).reindex(columns=["rival", "judged", "score", "lead"])
    return pd.concat(found).sort_values("lead", kind="stable")


def mean_ranks(table: pd.DataFrame, metric: Metric) -> pd.Series:
    """Return the mean ranks over units, 1 the best; ties share their mean rank."""
    ranks = by_unit(table).rank(axis=1, ascending=metric.is_error)
    return ranks.mean().sort_values(kind="stable")


def friedman(table: pd.DataFrame) -> float:
    """Return the p-value of all methods being alike; NaN for too little to tell."""
    columns = by_unit(table).to_numpy().T
    if len(columns) < 3 or columns.shape[1] < 2:
        return nan
    return float(friedmanchisquare(*columns).pvalue)


def signed_rank(lead: pd.Series) -> float:
    """Return Wilcoxon's two-sided p-value of leads around 0; NaN without any lead."""
    if not len(lead):
        return nan
    if not lead.any():
        return 1.0
    return float(wilcoxon(lead).pvalue)


def holm(p_values: pd.Series) -> pd.Series:
    """Return p-values adjusted for their number by Holm (1979); NaN stays NaN."""
    ordered = p_values.dropna().sort_values()
    factors = np.arange(len(ordered), 0, -1)
    adjusted = (ordered * factors).cummax().clip(upper=1.0)
    return adjusted.reindex(p_values.index)


def significance(table: pd.DataFrame, judged: str, metric: Metric) -> pd.DataFrame:
    """Test `judged` against each rival, on the units and on the tables that both have.

    Columns: `n_units`, `p_units`, `n_datasets`, `p_datasets`, the p-values of
    signed-rank tests with Holm's correction. The units of one table are related, so
    that their p-values are too small; for the other test a table's leads are averaged.
    """
    rows = {}
    for rival in table.columns.drop(judged, errors="ignore"):
        of_units = leads(by_unit(pair(table, judged, rival)), metric)
        of_datasets = of_units.groupby(level="dataset").mean()
        of_both = (of_units, of_datasets)
        rows[rival] = [x for lead in of_both for x in (len(lead), signed_rank(lead))]
    columns = ["n_units", "p_units", "n_datasets", "p_datasets"]
    tests = pd.DataFrame.from_dict(rows, orient="index", columns=columns).astype(float)
    return tests.assign(
        p_units=holm(tests["p_units"]), p_datasets=holm(tests["p_datasets"])
    )


def summary(results: pd.DataFrame, judged: str) -> pd.DataFrame:
    """Compare `judged` with each rival, and with the best rival of each case.

    Columns: `rmse` and `mae`, the geometric means of ratios; `accuracy`, the mean
    difference; each of them with the number of cases that both finished, `n_rmse` and
    so on; `outcomes` by RMSE; `seconds`, the ratio of total processor seconds, and
    `n_seconds`.
    """
    rivals = [name for name in results["method"].unique() if name != judged]
    seconds = scores(results, "processor_seconds")
    tables = [
        with_best(scores(results, metric.key), judged, metric)
        for metric in (RMSE, MAE, ACCURACY)
    ]
    rows = {}
    for rival in [*rivals, BEST]:
        rmse, mae, accuracy = (pair(table, judged, rival) for table in tables)
        timed = pair(seconds, judged, rival)
        total = timed.sum()
        rows[rival] = {
            "rmse": mean_ratio(rmse),
            "n_rmse": len(rmse),
            "mae": mean_ratio(mae),
            "n_mae": len(mae),
            "accuracy": leads(accuracy, ACCURACY).mean(),
            "n_accuracy": len(accuracy),
            "outcomes": outcomes(rmse, RMSE),
            "seconds": total["judged"] / total["rival"] if total["rival"] else nan,
            "n_seconds": len(timed),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def ratios_by_setting(results: pd.DataFrame, judged: str) -> pd.DataFrame:
    """Return mean ratios of RMSE to each rival, (mechanism, rate) × rivals."""
    table = with_best(scores(results, "rmse"), judged, RMSE)
    if judged not in table:
        return pd.DataFrame()
    ratios = np.log(table.rdiv(table[judged], axis=0).drop(columns=judged))
    grouped = ratios.groupby(level=["mechanism", "rate"], sort=False)
    return np.exp(grouped.mean())


def shared_mean(results: pd.DataFrame, key: str) -> tuple[pd.Series, int]:
    """Return a score's means per method over the problems in which all methods have it.

    Methods that never have it are left out. The second is the number of problems.
    """
    table = finished(scores(results, key))
    return table.mean(), len(table)
