"""Tables of the benchmark: those in the repository, and how others are got."""

import hashlib
import shutil
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from benchmarks import datasets
from benchmarks.datasets import COMMITTED, HEADLINE, SOURCES, TABLES, committed

#: Licences that let a copy be passed on, given the credit that SOURCES.md gives.
REDISTRIBUTABLE = {"CC BY 4.0"}


def test_headline_has_eight_numeric_and_four_mixed_tables():
    assert len(datasets.HEADLINE_NUMERIC) == 8
    mixed = {"abalone", "bank_marketing", "adult", "student_mat"}
    assert set(datasets.HEADLINE_MIXED) == mixed
    assert len(HEADLINE) == len(set(HEADLINE)) == 12


@pytest.mark.parametrize("name", HEADLINE)
def test_a_headline_table_is_committed_or_can_be_fetched(name):
    assert name in COMMITTED or name in datasets.BY_NAME


def test_the_folder_holds_the_declared_files_and_is_small():
    names = {path.name for path in TABLES.iterdir()}

    tables = {f"{name}.parquet" for name in COMMITTED}
    assert names == tables | {"sources.json", "SOURCES.md"}
    assert sum(path.stat().st_size for path in TABLES.iterdir()) < 3 * 2**20


@pytest.mark.parametrize("name", COMMITTED)
def test_licence_lets_the_table_be_passed_on_with_credit(name):
    source = SOURCES[name]

    assert source.licence in REDISTRIBUTABLE
    assert source.creators
    assert source.doi.startswith("10.24432/")


@pytest.mark.parametrize("name", COMMITTED)
def test_checksum_is_that_of_the_file(name):
    content = (TABLES / f"{name}.parquet").read_bytes()

    assert hashlib.sha256(content).hexdigest() == SOURCES[name].sha256


@pytest.mark.parametrize("name", COMMITTED)
def test_table_is_as_declared(name):
    source, table = SOURCES[name], committed(name)

    assert len(table) == source.rows == min(source.original_rows, 5_000)
    assert table.dtypes.astype(str).to_dict() == source.columns
    assert list(table) == list(source.columns)
    assert table.isna().sum().sum() == source.missing_cells
    pd.testing.assert_index_equal(table.index, pd.RangeIndex(source.rows))


@pytest.mark.parametrize("name", COMMITTED)
def test_columns_are_numbers_or_categories_of_words(name):
    source, table = SOURCES[name], committed(name)

    nominal = table.select_dtypes("category")
    assert set(table) == {*table.select_dtypes("number"), *nominal}
    for _, column in nominal.items():
        assert all(isinstance(level, str) for level in column.cat.categories)
    assert source.kind == ("mixed" if set(nominal) - {source.target} else "numeric")
    is_class = source.target in nominal
    assert source.task == ("classification" if is_class else "regression")


def test_only_adult_has_missing_cells():
    assert [name for name in COMMITTED if SOURCES[name].missing_cells] == ["adult"]


@pytest.mark.parametrize("name", COMMITTED)
def test_without_a_folder_the_committed_table_is_loaded(name, monkeypatch):
    monkeypatch.setattr(datasets, "BY_NAME", {})

    pd.testing.assert_frame_equal(datasets.load(name), committed(name))


def test_wdbc_is_that_of_scikit_learn():
    expected = load_breast_cancer(as_frame=True).frame
    table = committed("wdbc").astype({"target": expected["target"].dtype})

    pd.testing.assert_frame_equal(table, expected)


def test_a_fetched_headline_table_is_drawn_from(monkeypatch):
    whole = pd.DataFrame({"number": np.arange(7_000.0)})
    monkeypatch.setitem(datasets.BY_NAME, "california", lambda: whole)

    expected = whole.sample(5_000, random_state=0).sort_index().reset_index(drop=True)
    pd.testing.assert_frame_equal(datasets.load("california"), expected)


def test_another_fetched_table_is_whole(monkeypatch):
    whole = pd.DataFrame({"number": np.arange(7_000.0)})
    monkeypatch.setitem(datasets.BY_NAME, "mushroom", lambda: whole)

    pd.testing.assert_frame_equal(datasets.load("mushroom"), whole)


def test_a_table_of_a_given_folder_is_whole_and_not_checked(tmp_path):
    whole = pd.DataFrame({"number": np.arange(7_000.0)})
    whole.to_parquet(tmp_path / "adult.parquet")

    pd.testing.assert_frame_equal(datasets.load("adult", tmp_path), whole)


def test_a_changed_file_is_detected(tmp_path):
    copy = tmp_path / "concrete.parquet"
    shutil.copy(TABLES / copy.name, copy)
    committed("concrete", tmp_path)

    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(ValueError, match=r"'concrete'.*got a file with SHA-256"):
        committed("concrete", tmp_path)


def test_sources_page_is_made_from_the_sources():
    page = (TABLES / "SOURCES.md").read_text(encoding="utf-8")

    assert page == datasets.sources_page()


def test_sources_page_credits_every_table():
    sections = datasets.sources_page().split("\n## ")[1:]

    assert [section.splitlines()[0] for section in sections] == list(HEADLINE)
    for name, section in zip(HEADLINE, sections, strict=True):
        source = SOURCES[name]
        credit = [source.title, source.creators, source.licence, source.copied_from]
        assert all(text in section for text in credit)
        assert (source.sha256 or "not in this folder") in section


def test_tables_are_read_from_a_folder(tmp_path):
    toy_table = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]})
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


def test_the_target_is_set_apart_with_the_rows_that_have_it():
    table = pd.DataFrame(
        {
            "cement": [1, 2, 3, 4],
            "strength": [1.0, np.nan, 3.0, 4.0],
            "kind": ["a", "b", None, "a"],
        }
    )
    found = datasets.without_target("concrete", table)
    assert list(found.rows) == ["cement", "kind"]
    assert found.rows.dtypes.astype(str).tolist() == ["float64", "category"]
    assert found.rows["cement"].tolist() == [1, 3, 4]
    assert found.target.tolist() == [1.0, 3.0, 4.0]

    unknown = datasets.without_target("atlantis", table)
    assert list(unknown.rows) == list(table)
    assert unknown.target is None
