"""Anomalies: rows of a rare class, and cells with planted errors.

A method is fitted to a table with its anomalies, sees no labels, and ranks the rows, or
the cells, of that table.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

from benchmarks import markdown
from benchmarks.uses.reduction import table_of
from benchmarks.uses.study import Study
from vaeimpute import VAEImputer

#: Tables, and the class whose rows are rare: 5 % of all that are kept.
RARE = {
    "wdbc": "0",  # malignant
    "digits": 0,
    "banknote": "1",  # forged
    "spambase": "1",  # spam
    "letter": "A",
    "wine": 0,
}
RARE_SHARE = 0.05

#: Tables whose cells get errors, and the share of the cells that do.
WITH_ERRORS = ("wdbc", "banknote", "concrete", "wine_white", "abalone", "protein")
ERROR_SHARE = 0.01
SEEDS = (0, 1, 2)


def cases():
    for seed in SEEDS:
        for name in RARE:
            for method in ROW_SCORES:
                yield name, "rare class", method, seed
        for name in WITH_ERRORS:
            for kind in ERRORS:
                for method in CELL_SCORES:
                    yield name, kind, method, seed


def solve(dataset: str, kind: str, method: str, seed: int) -> dict[str, float]:
    generator = np.random.default_rng(seed)
    if kind == "rare class":
        rows, is_rare = with_rare_class(dataset, generator)
        return {"score": float(roc_auc_score(is_rare, ROW_SCORES[method](rows)))}
    rows, is_wrong = with_errors(dataset, ERRORS[kind], generator)
    scores = CELL_SCORES[method](rows)
    # As many cells as are wrong are looked at: precision and recall are the same.
    first = np.argsort(-scores, axis=None, kind="stable")[: is_wrong.sum()]
    return {"score": float(is_wrong.ravel()[first].mean())}


def with_rare_class(name, generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of a table with few rows of one class, and which these are."""
    rows, classes = table_of(name)
    is_rare = (classes == RARE[name]).to_numpy()
    usual, rare = np.flatnonzero(~is_rare), np.flatnonzero(is_rare)
    n_rare = round(RARE_SHARE / (1 - RARE_SHARE) * len(usual))
    kept = np.sort([*usual, *generator.permutation(rare)[:n_rare]])
    return rows.select_dtypes("number").to_numpy(float)[kept], is_rare[kept]


def with_errors(name, spoil, generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of a table with some wrong cells, and which these are."""
    values = table_of(name)[0].select_dtypes("number").dropna().to_numpy(float)
    is_wrong = generator.random(values.shape) < ERROR_SHARE
    spoiled = np.where(is_wrong, spoil(values, generator), values)
    # A slip that changes nothing is no error.
    return spoiled, spoiled != values


def _slip(values, generator):
    """A zero too many, or too few."""
    return values * np.where(generator.random(values.shape) < 0.5, 10.0, 0.1)


def _swap(values, generator):
    """The value of another row: usual in its column, wrong in its row."""
    return generator.permuted(values, axis=0)


ERRORS = {"decimal point": _slip, "other row": _swap}


def _isolation(rows):
    return -IsolationForest(random_state=0).fit(rows).score_samples(rows)


def _local_outliers(rows):
    rows = StandardScaler().fit_transform(rows)
    return -LocalOutlierFactor(20).fit(rows).negative_outlier_factor_


def _principal_error(rows):
    rows = StandardScaler().fit_transform(rows)
    reducer = PCA(max(2, round(rows.shape[1] / 4))).fit(rows)
    rebuilt = reducer.inverse_transform(reducer.transform(rows))
    return ((rows - rebuilt) ** 2).sum(axis=1)


def _density(rows):
    return -VAEImputer(random_state=0).fit(rows).score_samples(rows)


ROW_SCORES: dict[str, Callable] = {
    "isolation forest": _isolation,
    "local outlier factor": _local_outliers,
    "pca error": _principal_error,
    "vae": _density,
}


def _distance_in_column(rows):
    middle = np.median(rows, axis=0)
    deviation = np.median(np.abs(rows - middle), axis=0)
    return np.abs(rows - middle) / np.where(deviation > 0, deviation, rows.std(axis=0))


def _gaussian_residual(rows):
    """Residuals given the rest of the row, in standard deviations, of a Gaussian.

    With precision matrix P, ``x_j - E[x_j | rest] = (P (x - m))_j / P_jj``, of variance
    ``1 / P_jj``.
    """
    rows = StandardScaler().fit_transform(rows)
    precision = LedoitWolf().fit(rows).precision_
    return np.abs(rows @ precision) / np.sqrt(np.diag(precision))


def _surprise(rows):
    return VAEImputer(random_state=0).fit(rows).cell_scores(rows)


CELL_SCORES: dict[str, Callable] = {
    "column": _distance_in_column,
    "gaussian": _gaussian_residual,
    "vae": _surprise,
}


def render(rows: pd.DataFrame) -> str:
    titles = {
        "rare class": "Area under the ROC curve, rows of a rare class (5 %)",
        "decimal point": "Share of planted errors found, a zero too many or too few",
        "other row": "Share of planted errors found, the value of another row",
    }
    parts = []
    for kind, title in titles.items():
        some = rows[rows["kind"] == kind]
        if len(some):
            wide = some.pivot_table(
                index="dataset", columns="method", values="score", sort=False
            )
            wide.loc["*mean*"] = wide.dropna().mean()
            lines = [[name, *map(markdown.number, x)] for name, *x in wide.itertuples()]
            parts += [f"{title}:", "", markdown.table(["table", *wide.columns], lines)]
            parts += [""]
    return "\n".join(parts)


STUDY = Study("anomalies", ("dataset", "kind", "method", "seed"), cases, solve, render)
