"""Cells that are missing because of their own value: half of the columns lose all
numbers above their mean, as in the protocol of not-MIWAE (Ipsen et al. 2021).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, SimpleImputer

from benchmarks import markdown
from benchmarks.datasets import load
from benchmarks.uses.study import Study
from vaeimpute import VAEImputer

TABLES = ("banknote", "concrete", "wine_red", "wine_white", "yeast", "wdbc")

#: RMSE of table 1 of the paper: nets, linear decoder, and nets that know the sign.
PUBLISHED = {
    "not-MIWAE, self-masking": (1.88, 1.26, 1.08, 1.04, 1.48, 0.74),
    "not-MIWAE PPCA, self-masking": (0.57, 1.31, 1.13, 0.99, 0.78, 0.72),
    "not-MIWAE, known sign": (0.74, 1.12, 1.07, 1.04, 1.38, 0.76),
}

SEEDS = (0, 1, 2, 3, 4)


def _vae(self_masking):
    def make(columns, seed):
        return VAEImputer(self_masking=self_masking(columns), random_state=seed)

    return make


METHODS = {
    "mean": lambda columns, seed: SimpleImputer(),
    "iterative": lambda columns, seed: IterativeImputer(random_state=seed),
    "vae": _vae(lambda columns: None),
    "vae, self-masking": _vae(lambda columns: columns),
    "vae, known sign": _vae(lambda columns: dict.fromkeys(columns, "high")),
}


def cases():
    for seed in SEEDS:
        for dataset in TABLES:
            for method in METHODS:
                # What does not depend on a seed, or costs much and shows the need.
                if seed == 0 or method.startswith("vae,"):
                    yield dataset, method, seed


def numbers_of(dataset: str, folder: Path | None) -> pd.DataFrame:
    """Return the numeric columns of a table but its target, standardised."""
    numbers = load(dataset, folder).iloc[:, :-1].select_dtypes("number").astype(float)
    return (numbers - numbers.mean()) / numbers.std(ddof=0)


def hide(table: pd.DataFrame) -> tuple[pd.DataFrame, list]:
    """Return the table without what exceeds the mean, and the columns that lose it."""
    columns = list(table.columns[: table.shape[1] // 2])
    return table.assign(**{c: table[c].mask(table[c] > 0) for c in columns}), columns


def solve(
    dataset: str, method: str, seed: int, folder: Path | None = None
) -> dict[str, object]:
    table = numbers_of(dataset, folder)
    holed, columns = hide(table)
    imputer = METHODS[method](columns, seed).set_output(transform="pandas")
    error = (imputer.fit_transform(holed) - table).to_numpy()[holed.isna().to_numpy()]
    return {"n_columns": table.shape[1], "rmse": float(np.sqrt(np.mean(error**2)))}


def render(rows: pd.DataFrame) -> str:
    means = rows.pivot_table(index="method", columns="dataset", values="rmse")
    lines = []
    for method in METHODS:
        if method in means.index:
            shown = [markdown.number(x) for x in means.loc[method].reindex(TABLES)]
            lines.append([method, *shown])
    for name, errors in PUBLISHED.items():
        lines.append([f"{name} (published)", *map(markdown.number, errors)])
    return markdown.table(["RMSE", *TABLES], lines)


STUDY = Study(
    "self_masking",
    ("dataset", "method", "seed"),
    cases,
    solve,
    render,
    "uncertainty.md",
    takes_folder=True,
)
