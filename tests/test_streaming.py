"""Tables in files that are fitted from a sample and filled piece by piece."""

import itertools
import json
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from vaeimpute import VAEImputer, VAETransformer, streaming
from vaeimpute._row_sample import RowSample
from vaeimpute.streaming import fit_dataset, transform_dataset

pa = pytest.importorskip("pyarrow")
from pyarrow import dataset, parquet  # noqa: E402


def make_table(n_rows=240, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n_rows)
    table = pd.DataFrame(
        {
            "height": 170 + 9 * size + rng.normal(size=n_rows),
            "age": pd.array(rng.integers(20, 60, n_rows), dtype="int64[pyarrow]"),
            "region": np.where(size + rng.normal(size=n_rows) > 0, "north", "south"),
        }
    )
    holes = rng.random(table.shape) < 0.2
    return table.mask(holes)


def write(table, path, row_group_size=None):
    parquet.write_table(
        pa.Table.from_pandas(table, preserve_index=False),
        path,
        row_group_size=row_group_size,
    )


def read(sink):
    files = sorted(sink.glob("part-*.parquet"))
    frames = [parquet.read_table(file).to_pandas() for file in files]
    return pd.concat(frames, ignore_index=True)


def core(**settings):
    return VAEImputer(hidden_layer_sizes=(), random_state=0, **settings)


@pytest.fixture
def table():
    return make_table()


@pytest.fixture
def folder(table, tmp_path):
    """Three files of two row groups each."""
    folder = tmp_path / "table"
    folder.mkdir()
    for k in range(3):
        rows = table[80 * k : 80 * (k + 1)]
        write(rows, folder / f"{k}.parquet", row_group_size=40)
    return folder


@pytest.fixture(scope="module")
def fitted():
    return core().fit(make_table())


def sources(table, folder, tmp_path):
    csv = tmp_path / "table.csv"
    table.to_csv(csv, index=False)
    return {
        "folder": folder,
        "csv": csv,
        "dataset": dataset.dataset(folder),
        "iterator": lambda: (table[k : k + 50] for k in range(0, len(table), 50)),
    }


@pytest.mark.parametrize("kind", ["folder", "csv", "dataset", "iterator"])
def test_short_tables_are_fitted_and_filled_whole(kind, table, folder, tmp_path):
    source = sources(table, folder, tmp_path)[kind]
    imputer = fit_dataset(core(), source)
    sink = transform_dataset(imputer, source, tmp_path / "filled")

    filled, expected = read(sink), core().fit_transform(table)
    assert not filled.isna().any().any()
    numbers = ["height", "age"]
    np.testing.assert_allclose(
        filled[numbers].astype(float), expected[numbers].astype(float), rtol=1e-12
    )
    assert filled["region"].tolist() == expected["region"].tolist()
    assert sorted(x.name for x in sink.iterdir()) == [
        f"part-{k:06d}.parquet" for k in range(len(list(sink.iterdir())))
    ]
    if kind in ("folder", "dataset"):
        schema = parquet.read_schema(next(sink.glob("*")))
        assert schema.equals(parquet.read_schema(folder / "0.parquet"))


def test_what_few_rows_hold_is_in_every_sample(tmp_path):
    table = make_table(600).fillna({"height": 170.0})
    table.loc[599, "region"] = "atlantis"
    table.loc[300, "height"] = 900.0
    write(table, tmp_path / "table.parquet", row_group_size=100)
    imputer = fit_dataset(core(), tmp_path / "table.parquet", max_rows=30)

    levels = imputer.predict_proba(table)["region"].columns
    assert set(levels) == {"atlantis", "north", "south"}
    sample = sampled(table, 30, [0, 0])
    assert sample["height"].max() == 900.0
    assert sample["height"].min() == table["height"].min()
    assert sample.index.tolist() == list(range(len(sample)))
    assert 30 < len(sample) <= 30 + 2 * 2 + 3


class Watched(VAEImputer):
    """Keeps the tables that it learns from."""

    seen = ()

    def fit(self, X, y=None):
        self.seen = (X,)
        return super().fit(X)

    def partial_fit(self, X, y=None):
        self.seen += (X,)
        return super().partial_fit(X)


def test_each_pass_learns_from_other_rows(table, folder):
    watched = Watched(hidden_layer_sizes=(), random_state=0)
    fit_dataset(watched, folder, max_rows=50, n_passes=2)
    first, *others = watched.seen
    assert [len(x) for x in others] == [50, 50]
    assert watched._model.n_rows == len(first) + 100
    places = [table.drop_duplicates().merge(x.drop_duplicates()) for x in others]
    assert all(len(x) > 40 for x in places)  # rows of the table
    assert not others[0].equals(others[1])
    # A table that was fitted whole has no other rows.
    fit_dataset(watched, folder, max_rows=240, n_passes=2)
    assert len(watched.seen) == 1


def test_sources_that_change_between_passes_are_told(table, folder, monkeypatch):
    lengths = iter([240, 200])
    with pytest.raises(ValueError, match="got 200 rows in pass 1, expected the 240"):
        fit_dataset(
            core(), lambda: iter([table[: next(lengths)]]), max_rows=60, n_passes=1
        )
    fit = VAEImputer.fit

    def fit_and_touch(imputer, X):
        os.utime(folder / "1.parquet", ns=(0, 0))
        return fit(imputer, X)

    monkeypatch.setattr(VAEImputer, "fit", fit_and_touch)
    with pytest.raises(ValueError, match=r"source: \S*1\.parquet changed while"):
        fit_dataset(core(), folder, max_rows=60, n_passes=1)


def sampled(table, size, seed, step=37):
    sample = RowSample(size, seed)
    for start in range(0, len(table), step):
        sample.add(table[start : start + step])
    return sample.with_witnesses()


def test_rows_are_drawn_alike_often_and_stay_in_order():
    table = pd.DataFrame({"x": np.arange(400.0)})
    counts = np.zeros(400)
    for seed in range(300):
        drawn = sampled(table, 100, seed)["x"].to_numpy()
        assert np.all(np.diff(drawn) > 0)
        assert 100 <= len(drawn) <= 102  # the least and the largest come along
        counts[drawn.astype(int)] += 1
    assert counts[0] == counts[399] == 300
    # Binomial with 300 draws of probability 1 / 4.
    inner = counts[1:-1] / 300
    assert abs(inner.mean() - 0.25) < 0.005
    assert inner.std() == pytest.approx(np.sqrt(0.25 * 0.75 / 300), rel=0.15)


@pytest.mark.parametrize("cuts", [[1], [200], [100, 101, 350], range(10, 400, 10)])
def test_samples_of_parts_make_the_sample_of_the_whole(cuts):
    table = make_table(400)
    table["code"] = np.arange(400).astype(str)  # more levels than are looked for
    edges = [0, *cuts, 400]
    parts = []
    for low, high in itertools.pairwise(edges):
        part = RowSample(25, [3, 0], place=low)
        part.add(table[low:high])
        parts.append(part)
    while len(parts) > 1:  # from behind: the order of the joins does not matter
        last = parts.pop()
        parts[-1].extend(last)
    whole = sampled(table, 25, [3, 0])
    pd.testing.assert_frame_equal(parts[0].with_witnesses(), whole)
    assert parts[0].n_rows == 400


def test_parts_keep_little_more_than_the_whole_sample():
    table = make_table(40_000)
    parts = []
    for low in range(0, 40_000, 1_000):
        part = RowSample(400, [3, 0], low, n_rows_of_table=40_000)
        part.add(table[low : low + 1_000])
        parts.append(part)
    assert sum(len(part.drawn()) for part in parts) < 400 + 20 * np.sqrt(400)
    for part in parts[1:]:
        parts[0].extend(part)
    whole = sampled(table, 400, [3, 0], step=700)
    pd.testing.assert_frame_equal(parts[0].with_witnesses(), whole)


def test_a_stopped_filling_goes_on(fitted, table, folder, tmp_path, monkeypatch):
    sink, calls = tmp_path / "filled", []
    transform = VAEImputer.transform

    def stop_at_the_fourth(imputer, X):
        calls.append(len(X))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return transform(imputer, X)

    monkeypatch.setattr(VAEImputer, "transform", stop_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        transform_dataset(fitted, folder, sink)
    assert not sink.exists()
    partial = tmp_path / "filled.partial"
    assert len(list(partial.glob("part-*"))) == 3
    assert not list(partial.glob(".*"))

    transform_dataset(fitted, folder, sink)
    assert calls == [40] * 7  # four, of which one in vain, and the three that were left
    assert not partial.exists()
    assert len(read(sink)) == len(table)
    pd.testing.assert_series_equal(
        read(sink)["height"], fitted.transform(table)["height"], check_exact=True
    )


KILLED = """
import os, pickle, signal, sys
from pyarrow import parquet
from vaeimpute.streaming import transform_dataset

write, count = parquet.ParquetWriter.write_table, 0

def write_and_die(writer, table):
    global count
    write(writer, table)
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)

parquet.ParquetWriter.write_table = write_and_die
model, source, sink = sys.argv[1:]
with open(model, "rb") as stream:
    transform_dataset(pickle.load(stream), source, sink)
"""


def test_a_killed_filling_goes_on(fitted, table, folder, tmp_path):
    model, sink = tmp_path / "model.pickle", tmp_path / "filled"
    model.write_bytes(pickle.dumps(fitted))
    command = [sys.executable, "-c", KILLED, model, folder, sink]
    killed = subprocess.run(command, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    partial = tmp_path / "filled.partial"
    assert len(list(partial.glob("part-*"))) == 2
    assert len(list(partial.glob(".*"))) == 1  # begun, and never to be ended

    transform_dataset(fitted, folder, sink)
    assert {x.name for x in sink.iterdir()} == {
        f"part-00000{k}.parquet" for k in range(6)
    }
    pd.testing.assert_series_equal(
        read(sink)["height"], fitted.transform(table)["height"], check_exact=True
    )


def test_nothing_is_written_over(fitted, folder, tmp_path):
    (tmp_path / "filled").mkdir()
    with pytest.raises(FileExistsError, match="filled is there already"):
        transform_dataset(fitted, folder, tmp_path / "filled")


def test_unfinished_folders_of_other_jobs_are_left_alone(fitted, folder, tmp_path):
    partial = tmp_path / "filled.partial"
    partial.mkdir()
    (partial / "progress.json").write_text(json.dumps({"source": 1, "model": "x"}))
    with pytest.raises(ValueError, match="begun with another source or model"):
        transform_dataset(fitted, folder, tmp_path / "filled")


@pytest.fixture
def stopped(fitted, folder, tmp_path):
    """A folder that was begun with the fitted model, and not ended."""
    partial = tmp_path / "filled.partial"
    transform_dataset(fitted, folder, tmp_path / "filled").rename(partial)
    job = {
        "source": streaming._fingerprint(folder),
        "model": streaming._digest(fitted),
    }
    (partial / "progress.json").write_text(json.dumps(job))
    return partial


def test_a_model_that_was_stored_goes_on(stopped, fitted, folder, tmp_path):
    stored = pickle.loads(pickle.dumps(fitted)).set_params(verbose=1)
    transform_dataset(stored, folder, tmp_path / "filled")
    assert not stopped.exists()


def test_a_model_of_other_settings_does_not_go_on(stopped, folder, tmp_path):
    other = core(min_value=0).fit(make_table())
    with pytest.raises(ValueError, match="begun with another source or model"):
        transform_dataset(other, folder, tmp_path / "filled")
    assert len(list(stopped.glob("part-*"))) == 6


def test_pieces_without_rows(fitted, table, tmp_path):
    empty = table[:0]
    frames = [empty, table[:30], empty, table[30:]]
    imputer = fit_dataset(core(), lambda: iter(frames))
    sink = transform_dataset(imputer, lambda: iter(frames), tmp_path / "of_frames")
    assert len(read(sink)) == len(table)
    folder = tmp_path / "files"
    folder.mkdir()
    write(table, folder / "0.parquet")
    write(table[:0].astype(table.dtypes), folder / "1.parquet", row_group_size=10)
    sink = transform_dataset(fitted, folder, tmp_path / "of_files")
    assert len(read(sink)) == len(table)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("file_without", [0, 1])
def test_a_file_without_a_cell_of_a_column(table, tmp_path, ending, file_without):
    folder = tmp_path / "files"
    folder.mkdir()
    halves = [table[:120], table[120:]]
    halves[file_without] = halves[file_without].assign(age=None, region=None)
    for number, half in enumerate(halves):
        if ending == "csv":
            half.to_csv(folder / f"{number}.csv", index=False)
        else:
            write(half, folder / f"{number}.parquet")
    imputer = fit_dataset(core(), folder)
    filled = read(transform_dataset(imputer, folder, tmp_path / "filled"))
    assert filled.notna().all(axis=None)
    known = table["region"].copy()
    known[halves[file_without].index] = None
    observed = known.notna()
    assert (filled["region"][observed] == known[observed]).all()


def test_a_source_that_changes_meanwhile_is_told(fitted, folder, tmp_path, monkeypatch):
    transform = VAEImputer.transform

    def transform_and_touch(imputer, X):
        os.utime(folder / "2.parquet", ns=(0, 0))
        return transform(imputer, X)

    monkeypatch.setattr(VAEImputer, "transform", transform_and_touch)
    with pytest.raises(ValueError, match=r"source: \S*2\.parquet changed while"):
        transform_dataset(fitted, folder, tmp_path / "filled")
    assert not (tmp_path / "filled").exists()


def test_a_full_disk_leaves_no_part_of_a_part(fitted, folder, tmp_path, monkeypatch):
    def no_space(self, table):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet.ParquetWriter, "write_table", no_space)
    with pytest.raises(OSError, match="No space left"):
        transform_dataset(fitted, folder, tmp_path / "filled")
    assert [x.name for x in (tmp_path / "filled.partial").iterdir()] == [
        "progress.json"
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda x: x.rename(columns={"age": "years"}),
            r"9.parquet: got columns .*years",
        ),
        (
            lambda x: x.assign(age=1.5),
            r"9.parquet, column 'age': got double, expected int64",
        ),
    ],
)
def test_files_of_other_columns_are_named(change, message, table, folder):
    write(change(table[:20]), folder / "9.parquet")
    with pytest.raises(ValueError, match=message):
        fit_dataset(core(), folder)


def test_corrupt_files_are_named(folder):
    content = (folder / "1.parquet").read_bytes()
    (folder / "1.parquet").write_bytes(content[:4] + b"\0" * 400 + content[404:])
    with pytest.raises(ValueError, match=r"1\.parquet.*cannot be read"):
        fit_dataset(core(), folder)
    (folder / "1.parquet").write_bytes(b"no table")
    with pytest.raises(ValueError, match=r"1\.parquet.*cannot be read"):
        fit_dataset(core(), folder)


def test_sources_that_are_none(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match="there is no"):
        fit_dataset(core(), tmp_path / "nowhere")
    (folder / "notes.txt").write_text("")
    with pytest.raises(ValueError, match=r"end with \['.parquet', '.txt'\]"):
        fit_dataset(core(), folder)
    with pytest.raises(
        ValueError, match="InMemoryDataset, expected a dataset of files"
    ):
        fit_dataset(core(), dataset.dataset(pa.table({"x": [1.0]})))
    with pytest.raises(ValueError, match="got no rows"):
        fit_dataset(core(), lambda: iter([]))
    with pytest.raises(ValueError, match="iterator of int, expected data frames"):
        fit_dataset(core(), lambda: iter([1]))
    with pytest.raises(ValueError, match="max_rows: got 0"):
        fit_dataset(core(), lambda: iter([]), max_rows=0)
    with pytest.raises(ValueError, match="n_passes: got -1"):
        fit_dataset(core(), lambda: iter([]), n_passes=-1)
    with pytest.raises(ValueError, match="expected 0 with a VAETransformer"):
        fit_dataset(VAETransformer(), lambda: iter([]), n_passes=1)


def test_progress_is_shown_if_asked_for(fitted, folder, tmp_path, capsys):
    transform_dataset(fitted, folder, tmp_path / "quiet")
    assert capsys.readouterr().out == ""
    loud = core(verbose=1).fit(make_table())
    capsys.readouterr()
    transform_dataset(loud, folder, tmp_path / "filled")
    assert "Filling" in capsys.readouterr().out


def test_the_example_of_the_docs_runs(tmp_path, run_recipe):
    run_recipe("Tables larger than memory")
    assert len(read(tmp_path / "tables" / "filled")) == 344
