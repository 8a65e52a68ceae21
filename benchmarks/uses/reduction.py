"""Fewer dimensions: `VAETransformer` beside principal component analysis.

Three questions. With 30 % of the cells missing, how well does a logistic regression on
the components tell classes? Without gaps, how well are new rows rebuilt from them? And
how often are neighbours among the components of one class?
"""

from __future__ import annotations

from functools import partial
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks import markdown
from benchmarks.datasets import load, without_target
from benchmarks.methods import METHODS
from benchmarks.uses.study import Study
from vaeimpute import VAETransformer
from vaeimpute.amputation import ampute

BUILT_IN = {"digits": load_digits, "iris": load_iris, "wine": load_wine}
CLASSED = ("banknote", "wdbc", "spambase", "letter", "adult", "bank_marketing")
NUMERIC = ("concrete", "wine_white", "protein")
MAX_ROWS = 2_000
#: What the components are made by, in a pipeline and of complete rows.
PIPELINES = ("mean + pca", "iterative + pca", "vae")


def table_of(name: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return the rows of a table, at most 2,000 of them, and their classes."""
    if name in BUILT_IN:
        rows, classes = BUILT_IN[name](return_X_y=True, as_frame=True)
    else:
        rows, classes = without_target(name, load(name), MAX_ROWS).__dict__.values()
    return rows.loc[:, rows.nunique() > 1], classes


def cases():
    tables = (*BUILT_IN, *CLASSED)
    for name in tables:
        for method in PIPELINES:
            yield name, "classes", method
    for name in (*BUILT_IN, "banknote", "wdbc", "spambase", "letter", *NUMERIC):
        for method in ("pca", "vae"):
            yield name, "reconstruction", method
    for name in ("digits", "wine", "banknote", "wdbc", "spambase", "letter"):
        for method in ("pca", "vae"):
            yield name, "neighbours", method


def solve(dataset: str, question: str, method: str) -> dict[str, float]:
    rows, classes = table_of(dataset)
    n_components = max(2, round(rows.shape[1] / 4))
    score = QUESTIONS[question](rows, classes, method, n_components)
    return {"n_components": n_components, "score": score}


def accuracy(rows, classes, method, n_components) -> float:
    """Return the share of new rows, with gaps, whose class is told."""
    gaps = ampute(rows, fraction=0.3, random_state=0)
    fitted, new, known, truth = train_test_split(
        gaps, classes, test_size=0.3, random_state=0, stratify=classes
    )
    with TemporaryDirectory() as memory:  # each fold's components are made once
        steps = [
            ("components", _components(method, n_components)),
            ("scaler", StandardScaler()),
            ("classifier", LogisticRegression(max_iter=2_000)),
        ]
        search = GridSearchCV(
            Pipeline(steps, memory=memory), {"classifier__C": [0.1, 1.0, 10.0]}, cv=3
        )
        return float(search.fit(fitted, known).score(new, truth))


def _components(method: str, n_components: int):
    if method == "vae":
        return VAETransformer(n_components, random_state=0)
    filler = METHODS[method.removesuffix(" + pca")].make()
    encoder = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include="number")),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_include="category"),
        ),
    )
    return make_pipeline(filler, encoder, PCA(n_components))


def reconstruction(rows, classes, method, n_components) -> float:
    """Return the RMSE of new rows that were rebuilt, in standard deviations."""
    fitted, new = train_test_split(rows.dropna(), test_size=0.2, random_state=0)
    fitted = fitted.loc[:, fitted.nunique() > 1]
    scaler = StandardScaler().fit(fitted)
    if method == "pca":
        reducer = make_pipeline(scaler, PCA(n_components)).fit(fitted)
    else:
        reducer = VAETransformer(n_components, random_state=0).fit(fitted)
    new = new[fitted.columns]
    rebuilt = reducer.inverse_transform(reducer.transform(new))
    errors = scaler.transform(pd.DataFrame(rebuilt, columns=new.columns))
    return float(np.sqrt(np.mean((errors - scaler.transform(new)) ** 2)))


def neighbours(rows, classes, method, n_components) -> float:
    """Return the share of the ten nearest rows, by components, of a row's class."""
    if method == "pca":
        reducer = make_pipeline(StandardScaler(), PCA(n_components))
    else:
        reducer = VAETransformer(n_components, random_state=0)
    components = reducer.fit_transform(rows)
    codes = pd.factorize(classes)[0]
    nearest = NearestNeighbors(n_neighbors=10).fit(components).kneighbors()[1]
    return float(np.mean(codes[nearest] == codes[:, None]))


QUESTIONS = {
    "classes": accuracy,
    "reconstruction": reconstruction,
    "neighbours": neighbours,
}


def render(rows: pd.DataFrame) -> str:
    parts = []
    for question, unit in (
        ("classes", "Accuracy on new rows; 30 % of all cells missing"),
        ("reconstruction", "RMSE of new complete rows, in standard deviations"),
        ("neighbours", "Share of the ten nearest rows that are of a row's class"),
    ):
        some = rows[rows["question"] == question]
        if len(some):
            parts += [f"{unit}:", "", _table(some, question), ""]
    return "\n".join(parts)


def _table(rows: pd.DataFrame, question: str) -> str:
    wide = rows.pivot_table(
        index=["dataset", "n_components"], columns="method", values="score", sort=False
    )
    lines = [
        [f"{name} ({k} components)", *map(partial(markdown.number, form=".3f"), scores)]
        for (name, k), *scores in wide.itertuples()
    ]
    complete = wide.dropna()
    means = np.exp(np.log(complete).mean())
    lines.append(["*geometric mean*", *map(markdown.number, means)])
    ratios = [markdown.number(means["vae"] / mean) for mean in means]
    lines.append(["*`vae` ÷ it*", *ratios])
    return markdown.table(["table", *wide.columns], lines)


STUDY = Study("reduction", ("dataset", "question", "method"), cases, solve, render)
