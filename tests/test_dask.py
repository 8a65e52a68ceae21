"""Tables of Dask give what the same rows give on one machine, to the bit."""

import os
import signal
import time

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from vaeimpute import VAEImputer
from vaeimpute.datasets import load_penguins
from vaeimpute.streaming import fit_dataset, transform_dataset

dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")


def make_table(n_rows=300, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n_rows)
    table = pd.DataFrame(
        {
            "height": 170 + 9 * size + rng.normal(size=n_rows),
            "children": pd.array(rng.poisson(2, n_rows), dtype="Int64"),
            "region": pd.Categorical(np.where(size > 0, "north", "south")),
            "owner": rng.random(n_rows) < 0.5,
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 900, n_rows), "D"),
        },
        index=pd.Index(np.arange(0, 3 * n_rows, 3), name="person"),
    )
    holes = rng.random(table.shape) < 0.2
    holes[:, 3] = False  # booleans without gaps stay booleans
    return table.mask(pd.DataFrame(holes, table.index, table.columns)).astype(
        table.dtypes
    )


@pytest.fixture(scope="module")
def table():
    return make_table()


@pytest.fixture(scope="module")
def fitted(table):
    return VAEImputer(hidden_layer_sizes=(), random_state=0).fit(table)


@pytest.fixture(scope="module")
def client():
    """Two processes, and a fresh one for each that dies."""
    with (
        dask.config.set({"distributed.worker.profile.enabled": False}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("n_partitions", [1, 4, 7])
def test_filled_as_on_one_machine(n_partitions, table, fitted):
    parted = dd.from_pandas(table, npartitions=n_partitions)
    filled = transform_dataset(fitted, parted)
    assert filled.divisions == parted.divisions
    pd.testing.assert_series_equal(filled.dtypes, fitted.transform(table).dtypes)
    with dask.config.set(scheduler="synchronous"):
        pd.testing.assert_frame_equal(filled.compute(), fitted.transform(table))


def test_empty_partitions_stay(table, fitted):
    parted = dd.from_pandas(table, npartitions=5)
    some = parted[parted["height"] > 185]
    with dask.config.set(scheduler="synchronous"):
        lengths = some.map_partitions(len).compute()
        assert 0 in lengths.tolist()
        expected = fitted.transform(table[table["height"] > 185])
        pd.testing.assert_frame_equal(
            transform_dataset(fitted, some).compute(), expected
        )


def test_indicators_are_in_the_meta(table):
    imputer = VAEImputer(hidden_layer_sizes=(), add_indicator=True, random_state=0)
    imputer.fit(table)
    filled = transform_dataset(imputer, dd.from_pandas(table, npartitions=3))
    assert filled.columns.tolist() == imputer.get_feature_names_out().tolist()
    with dask.config.set(scheduler="synchronous"):
        pd.testing.assert_frame_equal(filled.compute(), imputer.transform(table))


@pytest.mark.parametrize("n_partitions", [1, 3, 8])
def test_fitted_to_the_same_rows_however_they_are_parted(n_partitions, table):
    def fit(source):
        imputer = VAEImputer(hidden_layer_sizes=(), random_state=0)
        return fit_dataset(imputer, source, max_rows=60, n_passes=1)

    local = fit(lambda: iter([table[:100], table[100:]]))
    with dask.config.set(scheduler="synchronous"):
        spread = fit(dd.from_pandas(table, npartitions=n_partitions))
    assert spread._model.n_rows == local._model.n_rows
    pd.testing.assert_frame_equal(spread.transform(table), local.transform(table))


def test_a_killed_worker_loses_nothing(client, table, fitted, tmp_path):
    def tell(frame):
        (tmp_path / f"{time.monotonic_ns()}-{os.getpid()}").touch()
        time.sleep(0.1)
        return frame

    parted = dd.from_pandas(table, npartitions=30)
    filled = transform_dataset(fitted, parted)
    filled = filled.map_partitions(tell, meta=filled._meta)
    before = set(client.run(os.getpid).values())
    future = client.compute(filled)
    while len(list(tmp_path.iterdir())) < 4:
        time.sleep(0.01)
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) < 30  # in the middle
    pd.testing.assert_frame_equal(future.result(timeout=60), fitted.transform(table))
    assert killed not in client.run(os.getpid).values()


def test_workers_draw_the_rows(client, table):
    one = VAEImputer(hidden_layer_sizes=(), random_state=0)
    fit_dataset(one, dd.from_pandas(table, npartitions=6), max_rows=50)
    other = VAEImputer(hidden_layer_sizes=(), random_state=0)
    fit_dataset(other, lambda: iter([table]), max_rows=50)
    pd.testing.assert_frame_equal(one.transform(table), other.transform(table))


def test_grid_search_on_workers(client, table):
    numbers = table[["height"]].astype(float).assign(twice=2 * table["height"] + 1)
    numbers["noise"] = np.random.default_rng(1).normal(size=len(table))
    owner = table["height"].fillna(170) > 170
    search = GridSearchCV(
        make_pipeline(
            VAEImputer(hidden_layer_sizes=(), random_state=0), LogisticRegression()
        ),
        {"vaeimputer__n_components": [1, 2]},
        cv=2,
    )
    with joblib.parallel_backend("dask"):
        search.fit(numbers, owner)
    spread = search.cv_results_["mean_test_score"]
    local = search.fit(numbers, owner).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(spread, local)


@pytest.mark.slow
def test_the_recipe_of_the_docs(client, tmp_path, run_recipe):
    space = run_recipe("Dask")
    files = sorted((tmp_path / "tables" / "filled_by_dask").glob("*.parquet"))
    filled = pd.concat([pd.read_parquet(file) for file in files])
    expected = space["imputer"].transform(load_penguins())
    pd.testing.assert_frame_equal(
        filled.astype(expected.dtypes), expected, check_names=False
    )


def test_a_sink_is_for_files(table, fitted, tmp_path):
    parted = dd.from_pandas(table, npartitions=2)
    with pytest.raises(ValueError, match="expected None with a table of Dask"):
        transform_dataset(fitted, parted, tmp_path / "filled")
    with pytest.raises(ValueError, match="sink: got None"):
        transform_dataset(fitted, tmp_path / "table.parquet")


def test_tables_without_rows_cannot_be_fitted(table):
    with pytest.raises(ValueError, match="got no rows"):
        fit_dataset(VAEImputer(), dd.from_pandas(table[:0], npartitions=1))
