"""The headline tables that are in the repository, and what is said of them."""

import hashlib
import shutil

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
