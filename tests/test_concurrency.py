"""Threads and processes that fit and fill at once get what one alone gets."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from vaeimpute import VAEImputer


def small(**parameters):
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}
    return VAEImputer(**defaults | parameters)


def factor_table(seed, n_rows=60, n_columns=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 1)) + 0.5 * rng.normal(size=(n_rows, n_columns))
    X[rng.random(X.shape) < 0.2] = np.nan
    return X


TABLES = [
    factor_table(seed, n_columns=n_columns)
    for seed, n_columns in enumerate((3, 3, 5, 7))
]


def fit_and_fill(X):
    return small().fit(X).transform(X)


@pytest.fixture(scope="module")
def expected():
    return [fit_and_fill(X) for X in TABLES]


def assert_all_equal(found, expected):
    for filled, alone in zip(found, expected, strict=True):
        np.testing.assert_array_equal(filled, alone)


def test_threads_that_fit_and_fill_at_once(expected):
    start = threading.Barrier(len(TABLES))

    def work(X):
        start.wait()
        return fit_and_fill(X)

    with ThreadPoolExecutor(len(TABLES)) as pool:
        assert_all_equal(pool.map(work, TABLES, timeout=300), expected)


def test_threads_that_fill_while_another_fits(expected):
    imputer = small().fit(TABLES[0])
    fits_end = threading.Event()

    def fill():
        found = []
        while not (found and fits_end.is_set()):
            found.append(imputer.transform(TABLES[0]))
        return found

    with ThreadPoolExecutor(3) as pool:
        filling = [pool.submit(fill) for _ in range(2)]
        try:
            fitting = [pool.submit(fit_and_fill, X).result(300) for X in TABLES[1:]]
        finally:
            fits_end.set()
        assert_all_equal(fitting, expected[1:])
        for found in filling:
            for filled in found.result(300):
                np.testing.assert_array_equal(filled, expected[0])


@pytest.mark.slow
def test_processes_that_fit_and_fill_at_once(expected):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        assert_all_equal(pool.map(fit_and_fill, TABLES, timeout=500), expected)


@pytest.mark.slow
def test_search_within_a_cross_validation_in_processes():
    inner = GridSearchCV(small(), {"n_components": [1, 2]}, cv=2, error_score="raise")
    alone = cross_val_score(inner, TABLES[0], cv=2, error_score="raise")
    nested = clone(inner).set_params(n_jobs=2)
    for n_jobs in (1, 2):
        scores = cross_val_score(
            nested, TABLES[0], cv=2, n_jobs=n_jobs, error_score="raise"
        )
        np.testing.assert_array_equal(scores, alone)
