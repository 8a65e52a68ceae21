"""The benchmark's machinery, with toy methods on toy tables."""

import ast
import json
import os
from functools import partial
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.impute import KNNImputer, SimpleImputer

from benchmarks import datasets, report
from benchmarks.methods import METHODS, IterativeImputer, Method
from benchmarks.protocol import (
    Case,
    hidden_cells,
    in_fresh_process,
    read_rows,
    run_case,
)
from benchmarks.run import SUITES, Suite, run
from vaeimpute.comparison import Encoded

TOY_SUITE = Suite(
    datasets=("toy",), rates=(0.3,), masks=(0, 1), methods=("zero",), max_rows=100
)
NOMINAL_SUITE = Suite(
    datasets=("toy",),
    rates=(0.3,),
    masks=(0, 1),
    methods=("mode", "knn", "vae"),
    max_rows=100,
    part=datasets.nominal_part,
    metric="accuracy",
)


class ConstantFiller:
    """Fill a constant, and remember what was given."""

    def __init__(self, value=0.0, seen=None):
        self.value = value
        self.seen = [] if seen is None else seen

    def fit(self, table):
        self.seen.append(table)
        return self

    def transform(self, table):
        return table.fillna(self.value)


class Failing:
    def fit(self, table):
        raise ArithmeticError("diverged\nat step 3")


def in_this_process(function, *arguments):
    return function(*arguments)


def crash(function, *arguments):
    return in_fresh_process(os._exit, 1)


@pytest.fixture
def toy_table():
    return pd.DataFrame(np.random.default_rng(0).normal(size=(50, 3)), columns=[*"abc"])


def toy_row(mask, rmse, fit_seconds=1.0, dataset="toy", method="zero", **changed):
    case = {"dataset": dataset, "rate": 0.3, "mask": mask, "method": method}
    size = {"n_rows": 50, "n_columns": 3, "cells": f"{dataset}{mask}"}
    result = {"rmse": rmse, "fit_seconds": fit_seconds, "error": None}
    return case | size | result | {"environment": {"python": "3"}} | changed


def nominal_rows(method, *scores):
    """Return the rows of a method on the nominal suite, one for each mask."""
    return [
        toy_row(mask, None, method=method, accuracy=score)
        for mask, score in enumerate(scores)
    ]


@pytest.fixture
def nominal_table():
    """Letters follow from numerals; one in ten is missing, and "d" is never used."""
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=300)
    table = pd.DataFrame(
        {
            "numeral": pd.Categorical(np.array(["1", "2", "3"])[codes]),
            "letter": pd.Categorical(np.array(list("abc"))[codes], list("dcba")),
            "copy": pd.Categorical(np.array(list("xyz"))[codes]),
            "same": pd.Categorical(["s"] * 300),
        }
    )
    return table.mask(rng.random(table.shape) < 0.1)


def by_case(rows):
    return {
        Case(row["dataset"], row["rate"], row["mask"], row["method"]): row
        for row in rows
    }


def cells_of_line(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_hidden_cells_follow_the_mask_and_the_rate():
    hidden = hidden_cells((1000, 10), 0.3, mask=1)

    np.testing.assert_array_equal(hidden, hidden_cells((1000, 10), 0.3, mask=1))
    assert (hidden != hidden_cells((1000, 10), 0.3, mask=2)).any()
    assert hidden.mean() == pytest.approx(0.3, abs=0.02)


def test_all_methods_get_the_same_cells_and_no_hidden_ones(toy_table):
    seen, rows = [], []
    for value in (0.0, 7.0):
        method = Method(partial(ConstantFiller, value, seen))
        case = Case("toy", 0.3, 0, f"constant {value}")
        rows.append(run_case(case, toy_table, method, in_this_process))

    pd.testing.assert_frame_equal(seen[0], seen[1])
    hidden = hidden_cells(toy_table.shape, 0.3, mask=0)
    np.testing.assert_array_equal(seen[0].isna(), hidden)
    pd.testing.assert_frame_equal(seen[0], toy_table.mask(hidden))
    assert rows[0]["cells"] == rows[1]["cells"]
    assert rows[0]["n_hidden"] == hidden.sum()


def test_fingerprint_tells_tables_and_masks_apart(toy_table):
    method = Method(ConstantFiller)

    def fingerprint(table, mask):
        case = Case("toy", 0.3, mask, "zero")
        return run_case(case, table, method, in_this_process)["cells"]

    shuffled = toy_table.iloc[::-1]
    found = {
        fingerprint(toy_table, 0),
        fingerprint(toy_table, 1),
        fingerprint(shuffled, 0),
    }
    assert len(found) == 3


def test_rmse_is_in_units_of_the_complete_column():
    # Columns of sd 1 and 10, each cell one sd from the mean 0: filling 0 is off by 1.
    signs = np.tile([[1.0], [-1.0]], (25, 1))
    table = pd.DataFrame(signs * [1.0, 10.0])
    case = Case("toy", 0.3, 0, "zero")

    row = run_case(case, table, Method(ConstantFiller), in_this_process)
    assert row["error"] is None
    assert row["rmse"] == pytest.approx(1.0)
    assert row["fit_seconds"] >= 0
    assert row["transform_seconds"] >= 0


def test_accuracy_is_the_share_of_right_levels_in_hidden_observed_cells(nominal_table):
    seen = []
    case = Case("toy", 0.3, 0, "x")
    table = nominal_table[["letter", "copy"]].assign(
        copy=lambda table: table["copy"].cat.rename_categories({"x": "b"})
    )
    method = Method(partial(ConstantFiller, "b", seen))

    row = run_case(case, table, method, in_this_process)
    hidden = hidden_cells(table.shape, 0.3, mask=0) & table.notna()
    assert row["error"] is None
    assert row["n_hidden"] == hidden.to_numpy().sum()
    assert row["accuracy"] == (table == "b").to_numpy()[hidden.to_numpy()].mean()
    assert "rmse" not in row
    pd.testing.assert_frame_equal(seen[0], table.mask(hidden))


def test_mixed_tables_are_scored_by_both_metrics(toy_table):
    levels = pd.Categorical(["low", "high"] * 25)
    table = toy_table.assign(level=levels, other=levels)
    numbers = run_case(Case("", 0.3, 0, ""), table, METHODS["mode"], in_this_process)

    class Oracle:
        def fit(self, incomplete):
            return self

        def transform(self, incomplete):
            return table.assign(other="low")

    row = run_case(Case("", 0.3, 0, ""), table, Method(Oracle), in_this_process)
    hidden = hidden_cells(table.shape, 0.3, mask=0)[:, 3:]
    right = np.column_stack([np.ones(50, dtype=bool), levels == "low"])
    assert row["rmse"] == 0
    assert row["accuracy"] == right[hidden].mean()
    assert numbers["error"] is None
    assert numbers["cells"] == row["cells"]


def test_a_filled_level_that_is_no_category_is_a_failure(nominal_table):
    table = nominal_table[["copy"]]

    class Inventing:
        def fit(self, incomplete):
            return self

        def transform(self, incomplete):
            return incomplete.astype(object).fillna("w")

    row = run_case(Case("", 0.3, 0, ""), table, Method(Inventing), in_this_process)
    assert row["error"].startswith("ValueError: filled: got nan")


@pytest.mark.parametrize("name", ["iterative", "knn", "knn-distance"])
def test_indicators_recover_levels_that_follow_from_others(nominal_table, name):
    case = Case("toy", 0.3, 0, name)
    row = run_case(case, nominal_table, METHODS[name], in_this_process)
    mode = run_case(case, nominal_table, METHODS["mode"], in_this_process)

    # 0.37 of the cells are missing or hidden: a cell has a column that it follows
    # from in 1 - 0.37 ** 2 = 0.86 of the rows.
    assert row["error"] is None
    assert mode["accuracy"] < 0.6 < 0.8 < row["accuracy"]
    assert row["cells"] == mode["cells"]


@pytest.mark.parametrize("drop_first", [False, True])
def test_encoded_keeps_observed_cells_and_fills_the_others(nominal_table, drop_first):
    table = nominal_table.assign(number=np.arange(300.0), constant=5.0)
    table = table.mask(hidden_cells(table.shape, 0.1, mask=0))

    filled = Encoded(KNNImputer(), drop_first=drop_first).fit(table).transform(table)
    assert filled.notna().all(axis=None)
    assert (filled.dtypes == table.dtypes).all()
    for name, column in table.items():
        observed = column.notna()
        if column.dtype == "category":
            assert (filled[name] == column)[observed].all()
        else:
            np.testing.assert_allclose(filled[name][observed], column[observed])
    assert (filled["constant"] == 5.0).all()


def test_encoded_columns_are_standardised_numbers_and_indicators():
    table = pd.DataFrame(
        {
            "level": pd.Categorical(["b", "a", None, "b"], list("abc")),
            "number": [1.0, np.nan, 3.0, 5.0],
        }
    )
    seen = []

    class Remembering(SimpleImputer):
        def fit(self, X, y=None):
            seen.append(X)
            return super().fit(X)

    standardised = (table["number"] - 3) / np.sqrt(8 / 3)
    indicators = [[0, 1], [1, 0], [np.nan, np.nan], [0, 1]]
    filled = Encoded(Remembering()).fit(table).transform(table)
    np.testing.assert_allclose(seen[0], np.column_stack([standardised, indicators]))
    assert filled["level"].tolist() == list("babb")
    np.testing.assert_allclose(filled["number"], [1.0, 3.0, 3.0, 5.0])

    Encoded(Remembering(), drop_first=True).fit(table)
    np.testing.assert_array_equal(seen[1], seen[0][:, [0, 2]])


def test_regressions_need_one_indicator_less(nominal_table):
    # The reason for `drop_first`: with all indicators nothing leaves the mode.
    case = Case("toy", 0.3, 0, "x")
    table = nominal_table[["numeral", "letter"]]
    every = Method(partial(Encoded, IterativeImputer(max_iter=10)))

    scores = [
        run_case(case, table, method, in_this_process)["accuracy"]
        for method in (METHODS["mode"], every, METHODS["iterative"])
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)
    assert scores[2] > scores[1] + 0.1


def test_suites_name_methods_and_parts_that_exist():
    for suite in SUITES.values():
        assert set(suite.methods) <= set(METHODS)
        part = suite.part(pd.DataFrame({"x": [1, 2], "c": ["a", "b"]}), 1)
        assert part.shape == (1, 1)
        assert (part.dtypes == "category").all() == (suite.metric == "accuracy")


def test_a_method_runs_in_a_process_of_its_own(toy_table):
    row = run_case(Case("toy", 0.3, 0, "mean"), toy_table, METHODS["mean"])
    assert row["error"] is None

    here = run_case(
        Case("toy", 0.3, 0, "mean"), toy_table, METHODS["mean"], in_this_process
    )
    assert row["rmse"] == here["rmse"]
    assert in_fresh_process(os.getpid) != os.getpid()


def test_iterative_beats_the_mean_in_any_unit():
    factor = np.random.default_rng(0).normal(size=(200, 1))
    noise = np.random.default_rng(1).normal(size=(200, 4))
    table = pd.DataFrame((factor + 0.3 * noise) * [1e-6, 1.0, 1.0, 1e6] + 5.0)

    rmse = {
        name: run_case(
            Case("toy", 0.3, 0, name), table, METHODS[name], in_this_process
        )["rmse"]
        for name in ("mean", "iterative")
    }
    assert rmse["mean"] == pytest.approx(1.0, abs=0.1)
    # With the factor known exactly, 0.3 / sqrt(1.09) = 0.29 would be left.
    assert 0.25 < rmse["iterative"] < 0.5


@pytest.mark.parametrize(
    ("method", "execute", "error"),
    [
        (Method(Failing), in_this_process, "ArithmeticError: diverged"),
        (
            Method(partial(ConstantFiller, np.nan)),
            in_this_process,
            "ValueError: filled",
        ),
        (Method(ConstantFiller), crash, "BrokenProcessPool"),
        (
            Method(ConstantFiller, imports=("no_such_module",)),
            in_this_process,
            "ModuleNotFoundError",
        ),
    ],
)
def test_a_failure_is_a_row_with_its_error(toy_table, method, execute, error):
    row = run_case(Case("toy", 0.3, 1, "failing"), toy_table, method, execute)

    assert row["error"].startswith(error)
    assert (row["dataset"], row["mask"], row["method"]) == ("toy", 1, "failing")
    assert "rmse" not in row


def test_resuming_runs_only_what_is_lacking(toy_table, tmp_path):
    seen = []
    methods = {
        "zero": Method(partial(ConstantFiller, 0.0, seen)),
        "bad": Method(Failing),
    }
    path = tmp_path / "new" / "results.jsonl"
    tables = {"toy": toy_table}
    first = [Case("toy", 0.3, 0, "bad"), Case("toy", 0.3, 0, "zero")]

    run(first, tables, path, methods, in_this_process)
    lines = path.read_text().splitlines()
    assert len(seen) == 1

    more = [*first, Case("toy", 0.3, 1, "zero")]
    run(more, tables, path, methods, in_this_process)
    assert len(seen) == 2
    assert path.read_text().splitlines()[:2] == lines
    rows = read_rows(path)
    assert list(rows) == more
    assert rows[more[0]]["error"] == "ArithmeticError: diverged\nat step 3"
    assert rows[more[2]]["error"] is None
    assert rows[more[2]]["environment"]["numpy"] == np.__version__


def test_broken_line_of_results_is_named(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(toy_row(0, 0.5)) + '\n{"dataset": "to')

    with pytest.raises(ValueError, match=r"results\.jsonl, line 2"):
        read_rows(path)


def test_report_takes_mean_and_sd_over_masks():
    # Deviations of 0.01 from the mean: the sd is 0.01 * sqrt(2).
    rows = by_case([toy_row(0, 0.51, 3.0), toy_row(1, 0.53, 8.0)])

    line = report.render(TOY_SUITE, rows).splitlines()[2]
    assert cells_of_line(line) == [
        *("toy", "50 × 3", "30%", "zero"),
        *("0.5200", "0.0141", "2 of 2", "5.5", "8.0", "", ""),
    ]


def test_report_counts_and_names_failures():
    failed = {"rmse": None, "fit_seconds": None, "error": "ValueError: x\nmore"}
    rows = by_case([toy_row(0, 0.5), toy_row(1, **failed)])

    text = report.render(TOY_SUITE, rows)
    cells = cells_of_line(text.splitlines()[2])
    assert cells[4:9] == ["0.5000", "–", "1 of 2", "1.0", "1.0"]
    assert "- toy 30% mask 1 zero: ValueError: x\n" in text
    assert "- 2 cases: python 3" in text


def test_report_judges_the_vae_by_its_bar(monkeypatch):
    monkeypatch.setitem(report.PROTOTYPE_RMSE, "toy", 0.5)
    suite = Suite(("toy",), (0.3,), (0, 1), ("zero", "vae"), 100)
    rows = [toy_row(mask, 0.9) for mask in (0, 1)]
    rows += [toy_row(mask, 0.515 + 0.01 * mask, method="vae") for mask in (0, 1)]

    lines = report.render(suite, by_case(rows)).splitlines()[2:4]
    assert [cells_of_line(line)[-2:] for line in lines] == [
        ["", ""],
        ["0.5150", "**fail**: RMSE"],
    ]


@pytest.mark.parametrize(
    ("rmse", "seconds", "expected"),
    [
        ([0.40, 0.60], [59.9, 1.0], "pass"),
        ([0.52, 0.50], [1.0, 1.0], "**fail**: RMSE"),
        ([0.50, 0.50], [1.0, 60.0], "**fail**: seconds"),
        ([0.40], [1.0], "**fail**: failed or not run"),
        ([], [], "**fail**: failed or not run"),
    ],
)
def test_verdict(rmse, seconds, expected):
    result = report.Result({}, rmse, seconds, n_masks=2)
    assert report.Bar("rmse", 0.5, max_fit_seconds=60).verdict(result) == expected


@pytest.mark.parametrize(
    ("mode", "knn", "vae", "bar", "verdict"),
    [
        (0.5, 0.6, 0.7, "0.6000", "pass"),
        (0.5, 0.6, 0.6, "0.6000", "pass"),
        (0.5, 0.6, 0.55, "0.6000", "**fail**: accuracy"),
        (0.6, 0.5, 0.6, "0.6000", "**fail**: accuracy"),
        (0.6, 0.6, 0.6, "0.6000", "**fail**: accuracy"),
        (0.6, 0.5, 0.61, "0.6000", "pass"),
    ],
)
def test_accuracy_is_above_the_mode_and_no_less_than_the_others(
    mode, knn, vae, bar, verdict
):
    rows = nominal_rows("mode", mode, mode) + nominal_rows("knn", knn, knn)
    rows += nominal_rows("vae", vae, vae)

    text = report.render(NOMINAL_SUITE, by_case(rows))
    assert "| accuracy | sd |" in text.splitlines()[0]
    lines = [cells_of_line(line) for line in text.splitlines()[2:5]]
    assert [line[3] for line in lines] == ["mode", "knn", "vae"]
    assert [line[-2:] for line in lines] == [["", ""], ["", ""], [bar, verdict]]


def test_accuracy_is_not_judged_before_all_others_are_complete():
    rows = nominal_rows("mode", 0.5, 0.5) + nominal_rows("vae", 0.7, 0.7)
    for knn in ([], nominal_rows("knn", 0.6)):
        text = report.render(NOMINAL_SUITE, by_case(rows + knn))
        (line,) = [line for line in text.splitlines() if "| vae |" in line]
        assert cells_of_line(line)[-2:] == ["", ""]


def test_report_refuses_methods_with_different_cells():
    rows = [toy_row(0, 0.5), toy_row(0, 0.4, method="vae", cells="others")]

    with pytest.raises(ValueError, match="mask 0 vae: got other cells"):
        report.render(TOY_SUITE, by_case(rows))


def test_report_writes_between_the_markers(tmp_path):
    results, page = tmp_path / "results.jsonl", tmp_path / "page.md"
    results.write_text(json.dumps(toy_row(0, 0.4321, dataset="wdbc", method="vae")))
    before = "# Title\n\n<!-- numeric: begin -->\nold\n<!-- numeric: end -->\nAfter.\n"
    page.write_text(before)
    command = ["--results", str(results), "--page", str(page)]

    report.main(command)
    once = page.read_text()
    report.main(command)
    assert page.read_text() == once
    assert once.startswith("# Title\n\n<!-- numeric: begin -->\n| table |")
    assert once.endswith("\n<!-- numeric: end -->\nAfter.\n")
    assert "| wdbc | 50 × 3 | 30% | vae | 0.4321 |" in once
    assert "old" not in once


def test_page_without_markers_is_an_error():
    with pytest.raises(ValueError, match="<!-- numeric: begin -->"):
        report.insert("# Title\n", "numeric", "text")


def test_tables_are_read_from_a_folder(tmp_path, toy_table):
    toy_table.to_parquet(tmp_path / "toy.parquet")

    pd.testing.assert_frame_equal(datasets.load("toy", tmp_path), toy_table)
    with pytest.raises(FileNotFoundError, match=r"'wdbc'.*wdbc\.parquet"):
        datasets.load("wdbc", tmp_path)


def test_numeric_part_keeps_first_complete_rows_and_numeric_columns():
    table = pd.DataFrame(
        {
            "number": [1.0, np.nan, 3.0, 4.0],
            "level": pd.Categorical(["a", None, "b", "a"]),
            "count": np.array([5, 6, 7, 8], dtype="int8"),
        }
    )

    expected = pd.DataFrame({"number": [1.0, 3.0], "count": [5.0, 7.0]}, index=[0, 2])
    pd.testing.assert_frame_equal(datasets.numeric_part(table, 2), expected)


@pytest.fixture
def long_table():
    return pd.DataFrame(
        {
            "sorted": np.repeat(["a", "b", "c"], 100),
            "flag": np.arange(300) % 2 == 0,
            "number": np.arange(300),
            "level": pd.Categorical(["x", None, "y"] * 100),
        }
    )


def test_nominal_part_has_categories_of_drawn_rows(long_table):
    part = datasets.nominal_part(long_table, 100)

    assert list(part) == ["sorted", "flag", "level"]
    assert (part.dtypes == "category").all()
    assert part.shape == (100, 3)
    assert part.index.is_monotonic_increasing
    assert set(part["sorted"]) == {"a", "b", "c"}
    rows = long_table.loc[part.index]
    pd.testing.assert_frame_equal(part.isna(), rows[list(part)].isna())
    assert (part["sorted"].astype(object) == rows["sorted"].astype(object)).all()
    pd.testing.assert_frame_equal(part, datasets.nominal_part(long_table, 100))


def test_all_columns_are_floats_or_categories_in_their_order(long_table):
    whole = datasets.all_columns(long_table, 1_000)

    assert list(whole) == list(long_table)
    kinds = ["category", "category", "float64", "category"]
    assert whole.dtypes.astype(str).tolist() == kinds
    assert (whole["number"] == long_table["number"]).all()


def test_wdbc_needs_no_folder():
    numeric = datasets.numeric_part(datasets.load("wdbc"), 6_000)
    np.testing.assert_array_equal(numeric, load_breast_cancer().data)


def test_california_gets_its_published_columns_back(monkeypatch):
    rng = np.random.default_rng(0)
    published = pd.DataFrame(
        {
            "longitude": rng.uniform(-124, -114, 500).round(2),
            "latitude": rng.uniform(32, 42, 500).round(2),
            "housingMedianAge": rng.integers(1, 53, 500).astype(float),
            "totalRooms": rng.integers(2, 40_000, 500).astype(float),
            "totalBedrooms": rng.integers(1, 6_500, 500).astype(float),
            "population": rng.integers(3, 36_000, 500).astype(float),
            "households": rng.integers(1, 6_100, 500).astype(float),
            "medianIncome": rng.uniform(0.5, 15, 500).round(4),
            "medianHouseValue": rng.integers(14_999, 500_002, 500).astype(float),
        }
    )
    # As scikit-learn's documentation defines its columns.
    households = published["households"]
    averages = pd.DataFrame(
        {
            "MedInc": published["medianIncome"],
            "HouseAge": published["housingMedianAge"],
            "AveRooms": published["totalRooms"] / households,
            "AveBedrms": published["totalBedrooms"] / households,
            "Population": published["population"],
            "AveOccup": published["population"] / households,
            "Latitude": published["latitude"],
            "Longitude": published["longitude"],
            "MedHouseVal": published["medianHouseValue"] / 100_000,
        }
    )

    class Fetched:
        frame = averages

    monkeypatch.setattr(
        datasets, "fetch_california_housing", lambda *, as_frame: Fetched
    )
    pd.testing.assert_frame_equal(datasets.load("california"), published)


def test_without_a_network_the_error_says_what_to_do(monkeypatch):
    def offline(*arguments, **options):
        raise URLError("no route")

    monkeypatch.setattr(datasets, "fetch_openml", offline)
    message = r"'mushroom'.*no route.*--data.*mushroom\.parquet"
    with pytest.raises(OSError, match=message):
        datasets.load("mushroom")


def test_unknown_table_is_an_error():
    with pytest.raises(ValueError, match=r"'atlantis'.*--data"):
        datasets.load("atlantis")


def test_only_public_names_of_the_package_are_imported():
    names = set()
    for path in Path(datasets.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}

    ours = {name for name in names if name.split(".")[0] == "vaeimpute"}
    assert "vaeimpute.VAEImputer" in ours
    assert not [name for name in ours if "._" in name]
