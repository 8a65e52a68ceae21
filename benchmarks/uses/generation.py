"""Generated rows beside real ones.

A generator is fitted to half of a table and makes as many rows. The other half tells
how real they are, and what another draw of real rows would get.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from benchmarks import markdown
from benchmarks.datasets import load
from benchmarks.isolation import is_built, run_module
from benchmarks.uses.study import Study
from vaeimpute import VAEImputer

#: Tables, and the column that a model is trained to tell from the others.
TARGETS = {
    "adult": "income",
    "bank_marketing": "y",
    "abalone": "rings",
    "wine_white": "quality",
    "banknote": "class",
}
METHODS = ("real", "vae", "sdv copula", "sdv tvae")
#: Tables of numbers on which rows half-way between others are compared.
HALFWAY = ("wine_white", "banknote", "concrete", "wdbc", "letter")
ENVIRONMENT = "sdv"
MAX_ROWS = 4_000
MAX_SECONDS = 1_800


def cases():
    for name in TARGETS:
        for method in METHODS:
            if not method.startswith("sdv") or is_built(ENVIRONMENT):
                yield name, method
    for name in HALFWAY:
        yield name, "half-way"


def solve(dataset: str, method: str) -> dict[str, float]:
    if method == "half-way":
        return halfway(dataset)
    return quality(dataset, method)


def halfway(dataset: str) -> dict[str, float]:
    """Return how far rows half-way between two others are from the nearest real row.

    By the latents, and by the cells: means over 200 pairs, in standard deviations; and
    how much more log-density those by the latents have.
    """
    table = load(dataset).select_dtypes("number").dropna()[:MAX_ROWS]
    fitted, other = train_test_split(table, test_size=0.5, random_state=0)
    imputer = VAEImputer(random_state=0).fit(fitted)
    pairs = [other.iloc[2 * i : 2 * i + 2] for i in range(min(200, len(other) // 2))]
    by_cells = pd.concat([pair.mean().to_frame().T for pair in pairs])
    by_latents = pd.concat(
        [imputer.interpolate(a, b, 3)[1:2] for (_, a), (_, b) in map(_two, pairs)]
    )
    scale = fitted.std()
    nearest = NearestNeighbors(n_neighbors=1).fit(fitted / scale)
    distances = [
        nearest.kneighbors(made / scale)[0].mean() for made in (by_latents, by_cells)
    ]
    densities = [imputer.score_samples(made).mean() for made in (by_latents, by_cells)]
    return {
        "distance by latents": float(distances[0]),
        "distance by cells": float(distances[1]),
        "gain in log-density": float(densities[0] - densities[1]),
    }


def _two(pair):
    return tuple(pair.iterrows())


def quality(dataset: str, method: str) -> dict[str, float]:
    table = load(dataset).dropna()
    table = table.sample(min(len(table), MAX_ROWS), random_state=0, ignore_index=True)
    fitted, other = table[: len(table) // 2], table[len(table) // 2 :]
    other = other.reset_index(drop=True)
    made = other if method == "real" else generated(method, fitted)
    with threadpool_limits(1):
        return {
            "columns": difference_of_columns(made, fitted),
            "pairs": difference_of_pairs(made, fitted),
            "told apart": told_apart(made, fitted),
            "trained on": trained_on(made, other, TARGETS[dataset])
            if method != "real"
            else trained_on(fitted, other, TARGETS[dataset]),
            "copies": closer_to_fitted(made, fitted, other)
            if method != "real"
            else float("nan"),
        }


def generated(method: str, fitted: pd.DataFrame) -> pd.DataFrame:
    """Return as many rows as were fitted."""
    if method == "vae":
        imputer = VAEImputer(random_state=0).fit(fitted)
        return imputer.sample(len(fitted), random_state=0).astype(fitted.dtypes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fitted.to_parquet(folder / "fitted.parquet")
        run_module(
            "benchmarks.rivals.sdv_tables",
            [method, str(len(fitted))],
            environment=ENVIRONMENT,
            folder=folder,
            max_seconds=MAX_SECONDS,
        )
        return pd.read_parquet(folder / "generated.parquet").astype(fitted.dtypes)


def difference_of_columns(made, real) -> float:
    """Return the mean of Kolmogorov-Smirnov or total variation distances of columns."""
    distances = []
    for name, column in real.items():
        if pd.api.types.is_numeric_dtype(column):
            distances.append(ks_2samp(made[name], column).statistic)
        else:
            shares = [x[name].value_counts(normalize=True) for x in (made, real)]
            distances.append(0.5 * shares[0].sub(shares[1], fill_value=0).abs().sum())
    return float(np.mean(distances))


def difference_of_pairs(made, real) -> float:
    """Return the mean difference of correlations between numbers and indicators."""
    parts = _indicators(made, real), _indicators(real, real)
    with np.errstate(invalid="ignore"):  # a level that was never made
        correlations = [np.nan_to_num(np.corrcoef(x.T)) for x in parts]
    upper = np.triu_indices(len(correlations[0]), 1)
    return float(np.mean(np.abs(correlations[0] - correlations[1])[upper]))


def told_apart(made, real) -> float:
    """Return how well boosting tells made from real rows: area under the ROC curve."""
    both = pd.concat([made, real], ignore_index=True)
    is_made = np.arange(len(both)) < len(made)
    order = np.random.default_rng(0).permutation(len(both))
    answers = cross_val_predict(
        HistGradientBoostingClassifier(
            random_state=0, categorical_features="from_dtype"
        ),
        both.iloc[order],
        is_made[order],
        cv=3,
        method="predict_proba",
    )
    return float(roc_auc_score(is_made[order], answers[:, 1]))


def trained_on(made, new, target: str) -> float:
    """Return R² or AUC on real rows of boosting that was trained on made ones."""
    inputs, answers = made.drop(columns=target), made[target]
    unseen, truth = new.drop(columns=target), new[target]
    if pd.api.types.is_numeric_dtype(answers):
        model = HistGradientBoostingRegressor(random_state=0)
        return float(r2_score(truth, model.fit(inputs, answers).predict(unseen)))
    model = HistGradientBoostingClassifier(random_state=0).fit(inputs, answers)
    return float(roc_auc_score(truth, model.predict_proba(unseen)[:, 1]))


def closer_to_fitted(made, fitted, other) -> float:
    """Return the share of made rows whose closest real row is one that was fitted.

    A half, if made rows are no closer to the rows that the generator saw than to as
    many others; one, if it copies.
    """
    made, fitted, other = (_indicators(x, fitted) for x in (made, fitted, other))
    size = min(len(fitted), len(other))
    distances = [
        NearestNeighbors(n_neighbors=1).fit(x[:size]).kneighbors(made)[0][:, 0]
        for x in (fitted, other)
    ]
    closer = distances[0] < distances[1]
    return float(np.mean(closer + 0.5 * (distances[0] == distances[1])))


def _indicators(table, reference) -> np.ndarray:
    """Return standardised numbers and indicators of levels, half of each differing."""
    parts = []
    for name, column in reference.items():
        if pd.api.types.is_numeric_dtype(column):
            scale = column.std() or 1.0
            parts.append((table[name].to_numpy() - column.mean()) / scale)
        else:
            levels = column.cat.categories
            parts += [(table[name] == x).to_numpy(float) / np.sqrt(2) for x in levels]
    return np.column_stack(parts)


def render(rows: pd.DataFrame) -> str:
    is_halfway = rows["method"] == "half-way"
    generated = rows[~is_halfway].sort_values("dataset", kind="stable")
    scores = ["columns", "pairs", "told apart", "trained on", "copies"]
    parts = [_table(generated, ["dataset", "method"], scores)]
    if is_halfway.any():
        scores = ["distance by latents", "distance by cells", "gain in log-density"]
        parts += [_HALFWAY_TEXT, _table(rows[is_halfway], ["dataset"], scores)]
    return "\n\n".join(parts)


_HALFWAY_TEXT = """\
Half-way between two new rows: mean distance from the nearest fitted row, in standard
deviations, by the latents (`interpolate`) and by the mean of the cells; and how many
nats more log-density the former have."""


def _table(rows, texts, scores) -> str:
    lines = [
        [*(row[x] for x in texts), *(markdown.number(row[x]) for x in scores)]
        for _, row in rows.iterrows()
    ]
    return markdown.table([*texts, *scores], lines, texts=len(texts))


STUDY = Study("generation", ("dataset", "method"), cases, solve, render)
