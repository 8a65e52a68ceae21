"""Few labels: `VAEClassifier` beside semi-supervised and supervised classifiers.

All methods get the same rows and the same few labels of each class; the other rows,
whose labels are hidden, are scored.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from benchmarks import markdown
from benchmarks.uses.reduction import table_of
from benchmarks.uses.study import Study
from vaeimpute import VAEClassifier

TABLES = ("digits", "wdbc", "banknote", "letter", "spambase")
LABELS = (5, 10, 50)
SEEDS = (0, 1, 2)
UNLABELLED = -1


def cases():
    for seed in SEEDS:
        for name in TABLES:
            for n_labels in LABELS:
                for method in METHODS:
                    yield name, n_labels, method, seed


def solve(dataset: str, n_labels: int, method: str, seed: int) -> dict[str, float]:
    rows, classes = table_of(dataset)
    codes = pd.factorize(classes, sort=True)[0]
    labels = some_labels(codes, n_labels, np.random.default_rng(seed))
    values = rows.to_numpy(float)
    answers = METHODS[method](values, labels)
    hidden = labels == UNLABELLED
    return {"score": float(np.mean(answers[hidden] == codes[hidden]))}


def some_labels(codes, n_labels, generator):
    """Return the labels of a few rows of each class, and -1 for all others.

    Half of a class at most: some rows of each are to be told.
    """
    labels = np.full(len(codes), UNLABELLED)
    for code in np.unique(codes):
        at = generator.permutation(np.flatnonzero(codes == code))
        labels[at[: min(n_labels, len(at) // 2)]] = code
    return labels


def _supervised(rows, labels):
    known = labels != UNLABELLED
    model = make_pipeline(StandardScaler().fit(rows), LogisticRegression(max_iter=2000))
    return model.fit(rows[known], labels[known]).predict(rows)


def _self_training(rows, labels):
    rows = StandardScaler().fit_transform(rows)
    model = SelfTrainingClassifier(LogisticRegression(max_iter=2000))
    return model.fit(rows, labels).predict(rows)


def _label_spreading(rows, labels):
    rows = StandardScaler().fit_transform(rows)
    model = LabelSpreading(kernel="knn", n_neighbors=7, max_iter=100)
    return model.fit(rows, labels).predict(rows)


def _vae(rows, labels):
    model = VAEClassifier(unlabeled=UNLABELLED, random_state=0)
    return model.fit(rows, labels).predict(rows)


METHODS = {
    "labelled rows alone": _supervised,
    "self-training": _self_training,
    "label spreading": _label_spreading,
    "vae": _vae,
}


def render(rows: pd.DataFrame) -> str:
    wide = rows.pivot_table(
        index=["dataset", "n_labels"], columns="method", values="score", sort=False
    )
    lines = [
        [f"{name}, {n}", *map(markdown.number, scores)]
        for (name, n), *scores in wide.itertuples()
    ]
    lines.append(["*mean*", *map(markdown.number, wide.dropna().mean())])
    return "\n".join(
        [
            "Accuracy on the rows whose labels are hidden, means of the seeds:",
            "",
            markdown.table(["table, labels of each class", *wide.columns], lines),
        ]
    )


STUDY = Study("labels", ("dataset", "n_labels", "method", "seed"), cases, solve, render)
