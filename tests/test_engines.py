"""The recipes of the docs for other engines, run for real: `make test-engines`."""

import importlib.util
import os
import shutil
import sys

import pandas as pd
import pytest
from pyarrow import parquet

from vaeimpute import VAEImputer
from vaeimpute.datasets import load_penguins
from vaeimpute.streaming import fit_dataset

# Ray and pyspark warn of many things, most of them their own affairs.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def read(folder):
    frames = [parquet.read_table(x).to_pandas() for x in folder.glob("*.parquet")]
    return pd.concat(frames, ignore_index=True)


def assert_filled(found, imputer, table):
    """Assert that rows, in any order, are those that one call fills."""
    expected, names = imputer.transform(table), list(table.columns)

    def sort(frame):
        frame = frame.astype({name: "float64" for name in numbers})
        frame = frame.astype({name: object for name in words})
        return frame[names].sort_values(names, ignore_index=True)

    numbers = [x for x in names if pd.api.types.is_numeric_dtype(table[x])]
    words = [x for x in names if x not in numbers]
    pd.testing.assert_frame_equal(sort(found), sort(expected), check_exact=True)


@pytest.fixture
def ray():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def test_ray(ray, tmp_path, run_recipe):
    space = run_recipe("Ray")
    filled = read(tmp_path / "tables" / "filled_by_ray")
    assert_filled(filled, space["imputer"], load_penguins())
    rows = space["table"]
    imputer = VAEImputer(hidden_layer_sizes=(), random_state=0)
    fit_dataset(imputer, lambda: rows.iter_batches(batch_format="pandas"), max_rows=90)
    assert 90 <= imputer._model.n_rows < 120


@pytest.fixture
def spark(monkeypatch):
    if importlib.util.find_spec("pyspark") is None or shutil.which("java") is None:
        pytest.skip("needs pyspark and Java 17")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]")
    spark = builder.config("spark.ui.enabled", "false").getOrCreate()
    yield spark
    spark.stop()


def test_spark(spark, tmp_path, run_recipe):
    space = run_recipe("Spark")
    filled = read(tmp_path / "tables" / "filled_by_spark")
    assert_filled(filled, space["imputer"], space["table"].toPandas())


def test_integers_with_gaps_in_spark(spark, tmp_path):
    table = load_penguins()[["bill_length_mm", "body_mass_g"]].astype(float)
    table["age"] = pd.array([*[1, 2, None, 4] * 86], dtype="Int64")
    table.to_parquet(tmp_path / "table.parquet")
    table = spark.read.parquet(os.fspath(tmp_path / "table.parquet"))
    imputer = VAEImputer(
        hidden_layer_sizes=(), discrete_features=["age"], random_state=0
    ).fit(table.toPandas())

    def fill(frames):
        for frame in frames:
            yield imputer.transform(frame)

    filled = table.repartition(3).mapInPandas(fill, table.schema).toPandas()
    assert len(filled) == 344
    assert filled["age"].dtype == "int64"
