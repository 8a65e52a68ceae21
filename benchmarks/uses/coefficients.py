"""Pooled coefficients: intervals that hold the truth as often as they say.

Tables are drawn from a known regression, cells of two covariates are hidden by what is
observed, the outcome among it, and the regression is fitted to several filled tables.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

from benchmarks import markdown
from benchmarks.uses.study import Study
from vaeimpute import VAEImputer
from vaeimpute.inference import Pooled, pool

N_ROWS, N_IMPUTATIONS = 250, 20
#: Tables of one case; a case is a line of the results.
N_TABLES, BATCHES = 50, range(8)

NAMES = ("intercept", "gap 1", "gap 2", "whole")
SLOPES = np.array([1.0, 0.8, -0.6, 0.5])


def normal(generator: np.random.Generator) -> np.ndarray:
    """Three covariates that correlate by a half, and the outcome with them."""
    covariance = 0.5 * (np.eye(3) + 1.0)
    covariates = generator.multivariate_normal(np.zeros(3), covariance, N_ROWS)
    return _with_outcome(covariates, generator)


def yes_or_no(generator: np.random.Generator) -> np.ndarray:
    """As `normal`, but the second covariate says whether its number is above 0.3."""
    covariates = normal(generator)[:, :3]
    covariates[:, 1] = covariates[:, 1] > 0.3
    return _with_outcome(covariates, generator)


def skewed(generator: np.random.Generator) -> np.ndarray:
    """As `normal`, but the third covariate is log-normal: nothing is linear in it."""
    covariates = normal(generator)[:, :3]
    covariates[:, 2] = np.exp(0.7 * covariates[:, 2])
    return _with_outcome(covariates, generator)


def _with_outcome(covariates, generator):
    outcome = SLOPES[0] + covariates @ SLOPES[1:] + generator.normal(size=N_ROWS)
    return np.column_stack([covariates, outcome])


DESIGNS: dict[str, Callable] = {
    "normal": normal,
    "yes or no": yes_or_no,
    "skewed": skewed,
}


def hide(table: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Hide 30 % of each of two columns, more where outcome and third are large."""
    z = (table - table.mean(axis=0)) / table.std(axis=0)
    chance = expit(1.2 * z[:, 3] + 0.8 * z[:, 2] - 1.1)
    chance *= 0.3 / chance.mean()
    hidden = np.zeros(table.shape, bool)
    hidden[:, :2] = generator.random((len(table), 2)) < chance[:, None]
    return np.where(hidden, np.nan, table)


def regression(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return least-squares coefficients and their covariance."""
    design = np.column_stack([np.ones(len(table)), table[:, :3]])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ table[:, 3]
    residual = table[:, 3] - design @ coefficients
    return coefficients, inverse * (residual @ residual) / (len(table) - 4)


def _pooled(tables) -> Pooled:
    estimates, variances = zip(*map(regression, tables), strict=True)
    return pool(estimates, variances, dof_complete=N_ROWS - 4)


def _vae(table, seed):
    """Without hidden layers: nothing bends in these tables."""
    frame = pd.DataFrame(table)
    if frame[1].nunique() == 2:
        frame[1] = frame[1].map({0.0: False, 1.0: True}).astype("boolean")
    imputer = VAEImputer(hidden_layer_sizes=(), random_state=seed).fit(frame)
    filled = imputer.impute_multiple(frame, N_IMPUTATIONS, seed)
    return _pooled([x.astype(float).to_numpy() for x in filled])


def _iterative(table, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _pooled(
            [
                IterativeImputer(
                    sample_posterior=True, random_state=seed * N_IMPUTATIONS + k
                ).fit_transform(table)
                for k in range(N_IMPUTATIONS)
            ]
        )


def _complete(table, seed):
    whole = table[~np.isnan(table).any(axis=1)]
    coefficients, covariance = regression(whole)
    # Of two equal tables: nothing is between them.
    return pool([coefficients] * 2, [covariance] * 2, dof_complete=len(whole) - 4)


METHODS: dict[str, Callable] = {
    "vae": _vae,
    "iterative": _iterative,
    "rows without a gap": _complete,
}


def cases():
    for batch in BATCHES:
        for design in DESIGNS:
            for method in METHODS:
                yield design, method, batch


def solve(design: str, method: str, batch: int) -> dict[str, object]:
    estimates, inside, widths = [], [], []
    for seed in range(batch * N_TABLES, (batch + 1) * N_TABLES):
        generator = np.random.default_rng(seed)
        table = hide(DESIGNS[design](generator), generator)
        pooled = METHODS[method](table, seed)
        lower, upper = pooled.interval()
        estimates.append(pooled.estimate)
        inside.append((lower < SLOPES) & (upper > SLOPES))
        widths.append(upper - lower)
    return {
        "n_tables": N_TABLES,
        "estimate": np.mean(estimates, axis=0).tolist(),
        "inside": np.sum(inside, axis=0).tolist(),
        "width": np.mean(widths, axis=0).tolist(),
    }


def render(rows: pd.DataFrame) -> str:
    parts = []
    found = dict(list(rows.groupby(["design", "method"])))
    keys = [key for key in itertools.product(DESIGNS, METHODS) if key in found]
    for design, method in keys:
        some = found[design, method]
        count = some["n_tables"].sum()
        covered = np.sum(some["inside"].tolist(), axis=0) / count
        bias = np.mean(some["estimate"].tolist(), axis=0) / SLOPES - 1
        width = np.mean(some["width"].tolist(), axis=0)
        for k, name in enumerate(NAMES):
            off = markdown.number(bias[k], "+.1%")
            shown = [f"{covered[k]:.3f}", off, f"{width[k]:.3f}"]
            parts.append([design, method, name, f"{count}", *shown])
    header = ["table", "method", "coefficient", "tables", "covered", "bias", "width"]
    return markdown.table(header, parts, texts=3)


STUDY = Study(
    "coefficients",
    ("design", "method", "batch"),
    cases,
    solve,
    render,
    "uncertainty.md",
)
