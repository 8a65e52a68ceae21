"""Tables filled whole: each missing cell, no other, and all dtypes kept.

The slow test takes the Parquet files of the folder that VAEIMPUTE_TABLES names, up to
VAEIMPUTE_TABLES_MAX_CELLS cells each (default 200,000), besides two shipped tables.
"""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.datasets import load_iris

from benchmarks import hardships, report
from benchmarks.__main__ import main
from benchmarks.protocol import read_lines
from benchmarks.whole_tables import (
    by_size,
    check_filled,
    fill_file,
    fill_whole,
    run,
)
from benchmarks.worker import peak_memory
from vaeimpute import VAEImputer
from vaeimpute.amputation import hide
from vaeimpute.datasets import load_penguins

FOLDER = os.environ.get("VAEIMPUTE_TABLES")
MAX_CELLS = int(os.environ.get("VAEIMPUTE_TABLES_MAX_CELLS", "200000"))


def files():
    """Return the files of the folder as parameters, too large ones to be skipped."""
    if FOLDER is None:
        skip = pytest.mark.skip(reason="VAEIMPUTE_TABLES names no folder of tables")
        return [pytest.param(None, marks=skip, id="folder")]
    parameters = []
    for path, n_cells in by_size(Path(FOLDER)).items():
        reason = f"{n_cells:,} cells are more than VAEIMPUTE_TABLES_MAX_CELLS"
        skip = pytest.mark.skipif(n_cells > MAX_CELLS, reason=reason)
        parameters.append(pytest.param(path, marks=skip, id=path.stem))
    return parameters


def complete_iris():
    iris = load_iris(as_frame=True).frame
    return iris.astype({"target": "category"})


@pytest.mark.slow
@pytest.mark.parametrize("path", files())
def test_every_table_of_the_folder_is_filled(path):
    row = fill_file(path)
    assert row["n_missing"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("load", [load_penguins, complete_iris])
def test_shipped_tables_are_filled(load):
    row = fill_whole(load(), VAEImputer(random_state=0))
    assert row["n_missing"] > 0


class ColumnFiller:
    """Fill each column with its most frequent cell, as the checks expect it."""

    def fit(self, table):
        return self

    def transform(self, table):
        known = table.dropna(axis=1, how="all")
        return known.fillna(known.mode().iloc[0]).astype(known.dtypes)


@pytest.fixture
def all_dtypes():
    """Return a complete table with a column of each dtype and labels that repeat."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "float64": rng.normal(size=40),
            "float32": rng.normal(size=40).astype("float32"),
            "int8": rng.integers(9, size=40).astype("int8"),
            "uint16": rng.integers(9, size=40).astype("uint16"),
            "bool": rng.random(40) < 0.5,
            "Int32": pd.array(rng.integers(9, size=40), dtype="Int32"),
            "category": pd.Categorical(rng.choice(["x", "y"], size=40)),
            "text": rng.choice(["x", "y"], size=40),
        }
    )
    return table.set_index(pd.Index([7, 7, *range(38)], name="row"))


def with_gaps(table, rate):
    return hide(table, np.random.default_rng(0).random(table.shape) < rate)


def test_right_fillings_pass(all_dtypes):
    table = with_gaps(all_dtypes, 0.3).assign(empty=np.nan)

    check_filled(table, ColumnFiller().fit(table).transform(table))
    check_filled(all_dtypes, all_dtypes)


def change_float(filled):
    filled.iloc[0, 0] += 1e-9
    return filled


def change_level(filled):
    filled.iloc[0, 6] = {"x": "y", "y": "x"}[filled.iloc[0, 6]]
    return filled


def forget(filled):
    filled.iloc[3, 2] = pd.NA
    return filled


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change_float, "Column 'float64': 1 observed cells have changed"),
        (change_level, "Column 'category': 1 observed cells have changed"),
        (forget, "Column 'int8': 1 cells are not filled"),
        (
            lambda filled: filled.astype({"float32": "float64"}),
            "Column 'float32': got dtype float64, expected float32",
        ),
        (
            lambda filled: filled.astype({"category": object}),
            "Column 'category': got dtype object, expected category",
        ),
        (lambda filled: filled.drop(columns="bool"), r"columns: \['bool'\] lost"),
        (lambda filled: filled.assign(empty=0.0), r"columns: \['empty'\] lost or new"),
        (lambda filled: filled.iloc[:, ::-1], "columns: .* another order"),
        (lambda filled: filled.reset_index(drop=True), "index: "),
        (lambda filled: filled.iloc[:-1], "index: "),
    ],
)
def test_wrong_fillings_are_named(all_dtypes, spoil, message):
    table = with_gaps(all_dtypes, 0.3).assign(empty=np.nan)
    table.iloc[0] = all_dtypes.iloc[0].to_dict() | {"empty": np.nan}
    filled = ColumnFiller().fit(table).transform(table)
    check_filled(table, filled)

    with pytest.raises(AssertionError, match=message):
        check_filled(table, spoil(filled))


def test_a_row_has_size_seconds_and_memory(all_dtypes):
    complete = fill_whole(all_dtypes, ColumnFiller())
    size = [complete[key] for key in ("n_rows", "n_numeric", "n_nominal")]
    assert size == [40, 5, 3]
    assert complete["hidden_rate"] == 0.1
    hidden = with_gaps(all_dtypes, 0.1).isna()
    assert complete["n_missing"] == hidden.to_numpy().sum()
    assert complete["fit_seconds"] >= 0
    assert complete["transform_seconds"] >= 0
    assert 10 < complete["memory_before"] <= complete["memory_peak"] <= peak_memory()

    one_missing = all_dtypes.assign(extra=[np.nan, *range(39)])
    row = fill_whole(one_missing, ColumnFiller())
    assert (row["n_missing"], row["hidden_rate"]) == (1, 0.0)


def test_peak_memory_is_in_mebibytes():
    n_mebibytes = 200
    array = np.ones(n_mebibytes * 2**17)  # 8 bytes each
    # In KiB it would be more than 200,000, in bytes far more.
    assert n_mebibytes < peak_memory() < 100_000
    assert array.nbytes == n_mebibytes * 2**20


def in_this_process(function, *arguments):
    return function(*arguments)


def fill_by_columns(path):
    if path.stem == "bad":
        raise ArithmeticError("diverged")
    return fill_whole(pd.read_parquet(path), ColumnFiller())


def process_of(path):
    return {"process": os.getpid(), "fit_seconds": 0.0, "memory_peak": 0.0}


@pytest.fixture
def folder(tmp_path, all_dtypes):
    folder = tmp_path / "tables"
    folder.mkdir()
    tables = {"a": all_dtypes, "b": all_dtypes[:30], "bad": all_dtypes[["text"]]}
    for name, table in tables.items():
        table.reset_index(drop=True).to_parquet(folder / f"{name}.parquet")
    return folder


def test_files_come_smallest_first(folder):
    sizes = {path.stem: n_cells for path, n_cells in by_size(folder).items()}
    assert list(sizes.items()) == [("bad", 40), ("b", 240), ("a", 320)]


def test_tables_are_run_once_and_failures_recorded(folder, tmp_path):
    out = tmp_path / "new" / "results.jsonl"
    paths = list(by_size(folder))

    run(paths[:2], out, in_this_process, fill_by_columns)
    lines = out.read_text().splitlines()
    run(paths, out, in_this_process, fill_by_columns)
    rows = read_lines(out)
    assert out.read_text().splitlines()[:2] == lines
    assert [row["table"] for row in rows] == ["bad", "b", "a"]
    assert [row["error"] for row in rows] == ["ArithmeticError: diverged", None, None]
    assert rows[2]["environment"]["numpy"] == np.__version__


def test_a_table_has_a_process_of_its_own(folder, tmp_path):
    out = tmp_path / "results.jsonl"
    run(list(by_size(folder))[:1], out, fill=process_of)
    (row,) = read_lines(out)
    assert row["error"] is None
    assert row["process"] != os.getpid()


def test_page_lists_tables_by_name_and_sums_up(folder, tmp_path):
    out, page = tmp_path / "results.jsonl", tmp_path / "page.md"
    run(by_size(folder), out, in_this_process, fill_by_columns)
    page.write_text("<!-- whole_tables: begin -->\nold\n<!-- whole_tables: end -->\n")

    report.write_whole_tables(out, page)
    text = page.read_text()
    names = [line.split(" | ")[0] for line in text.splitlines() if line[:2] == "| "]
    assert names == ["| table", "| a", "| b", "| bad"]
    assert "old" not in text
    assert "2 of 3 tables are filled as they should be" in text
    assert len(re.findall(r"\d\* \|", text)) == 2
    assert "- bad: ArithmeticError: diverged" in text
    assert "- 3 cases: vaeimpute" in text


def test_unknown_names_of_tables_are_an_error(folder):
    command = ["whole-tables", "--data", str(folder), "--tables", "a,atlantis"]
    found = CliRunner().invoke(main, command)
    assert found.exit_code == 2
    assert "['atlantis'] are not in" in found.output


def test_hardships_of_a_table_are_told(monkeypatch):
    monkeypatch.setattr(hardships, "RATES", (0.5,))
    monkeypatch.setattr(
        hardships, "SHORT", {"hidden_layer_sizes": (), "random_state": 0}
    )
    # A share has no unit: it is left out of the comparison between units.
    share = np.random.default_rng(0).beta(0.5, 4, size=150)
    iris = complete_iris().assign(share=share / share.max())
    row = hardships.try_table(iris)
    assert row["failures"] == {}
    assert row["n_fits"] == 3 + 1 + 3
    assert row["differ_by"] < 1e-4

    def fail(*_):
        raise ArithmeticError("diverged")

    monkeypatch.setattr(VAEImputer, "transform", fail)
    row = hardships.try_table(iris)
    cases = ["mcar 50%", "mar 50%", "mnar 50%", "collinear", "units"]
    assert list(row["failures"]) == cases
    page = hardships.render({"iris": row | {"error": None}})
    assert "mcar 50%: ArithmeticError: diverged" in page
    assert "1 tables, 7 fits, 0 cells filled, 5 failures." in page
