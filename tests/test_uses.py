"""The page of further uses: its examples run, and its figures measure what they say."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks import report
from benchmarks.__main__ import main
from benchmarks.problems import Part
from benchmarks.protocol import read_lines
from benchmarks.uses import (
    STUDIES,
    anomalies,
    coefficients,
    generation,
    gpu,
    intervals,
    labels,
    reduction,
    self_masking,
    speed,
    works,
)
from benchmarks.uses.study import Study
from benchmarks.uses.works import products_of_a_step
from vaeimpute._engine import Engine
from vaeimpute._vae import Architecture

PAGE = Path(__file__).parents[1] / "docs" / "uses.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def mixed():
    rng = np.random.default_rng(0)
    size = rng.normal(size=600)
    return pd.DataFrame(
        {
            "size": size,
            "weight": size + 0.3 * rng.normal(size=600),
            "kind": pd.Categorical(np.where(size > 0, "large", "small")),
        }
    )


@pytest.fixture
def halving():
    """A study of two tables whose score is half of a number."""

    def solve(dataset, number):
        calls.append(dataset)
        return {"score": number / 2}

    def render(rows):
        return f"mean {rows['score'].mean()}"

    calls = []
    cases = [("a", 1), ("a", 2), ("b", 3)]
    study = Study("halving", ("dataset", "number"), lambda: cases, solve, render)
    return study, calls


@pytest.mark.slow
def test_examples_of_the_page_run():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.S):
        exec(compile(block, PAGE.name, "exec"), names)
    assert names["components"].shape == (344, 2)
    assert list(names["rebuilt"]) == list(names["penguins"])
    assert (names["gentoos"]["species"] == "Gentoo").all()
    assert (names["heavy"]["body_mass_g"] == 6000).all()
    assert len(names["suspects"]) == 5
    assert 0 < names["is_usual"].mean() < 1
    assert names["accuracy"] > 0.8


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_each_study_has_a_place_in_its_page(study):
    text = (PAGE.parent / study.page).read_text(encoding="utf-8")
    assert text.count(f"<!-- {study.name}: begin -->") == 1
    assert text.count(f"<!-- {study.name}: end -->") == 1


def test_the_page_names_only_figures_that_exist():
    figures = re.findall(r"\]\((figures/[^)]*)\)", TEXT)
    assert figures
    assert all((PAGE.parent / figure).exists() for figure in figures)


def test_cases_of_a_study_are_run_once(halving, tmp_path):
    study, calls = halving
    study.run(tmp_path / "rows.jsonl", only=("a",))
    assert calls == ["a", "a"]
    study.run(tmp_path / "rows.jsonl")
    assert calls == ["a", "a", "b"]
    rows = read_lines(tmp_path / "rows.jsonl")
    assert [row["score"] for row in rows] == [0.5, 1.0, 1.5]
    assert all(row["environment"]["cores"] > 0 for row in rows)


def test_a_study_is_written_into_its_page(halving, tmp_path):
    study, _ = halving
    study.run(tmp_path / "rows.jsonl")
    page = tmp_path / "page.md"
    page.write_text("x\n<!-- halving: begin -->\nold\n<!-- halving: end -->\ny")
    report.write_study(study, tmp_path / "rows.jsonl", page)
    assert "mean 1.0" in page.read_text()
    assert "old" not in page.read_text()


@pytest.mark.parametrize("name", STUDIES)
def test_the_command_line_knows_the_studies(name, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(
        Study,
        "run",
        lambda self, path, only, data: calls.append((self.name, only, data)),
    )
    command = ["study", name, "--tables", "wine", "--out", str(tmp_path / "x")]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert calls == [(name, ("wine",), None)]


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_cases_have_unique_keys(study):
    cases = list(study.cases())
    assert cases
    assert len(set(cases)) == len(cases)
    assert all(len(case) == len(study.fields) for case in cases)


def test_generated_rows_that_are_real_are_not_told_apart(mixed):
    one, other = mixed[:300], mixed[300:].reset_index(drop=True)
    assert generation.difference_of_columns(one, one) == 0
    assert generation.difference_of_pairs(one, one) == 0
    assert generation.told_apart(one, other) == pytest.approx(0.5, abs=0.1)
    assert generation.difference_of_columns(other, one) < 0.15


def test_shuffled_columns_are_told_apart_by_their_pairs_alone(mixed):
    rng = np.random.default_rng(1)  # another order for each column
    shuffled = mixed.apply(lambda column: column.sample(frac=1, random_state=rng).array)
    assert generation.difference_of_columns(shuffled, mixed) == 0
    assert generation.difference_of_pairs(shuffled, mixed) > 0.4
    assert generation.told_apart(shuffled, mixed) > 0.8


def test_copies_are_found(mixed):
    fitted, other = mixed[:300], mixed[300:]
    fresh = fitted.assign(
        size=fitted["size"] + np.random.default_rng(1).normal(size=300)
    )
    assert generation.closer_to_fitted(fitted, fitted, other) == 1.0
    assert generation.closer_to_fitted(other, fitted, other) == 0.0
    assert generation.closer_to_fitted(fresh, fitted, other) == pytest.approx(
        0.5, abs=0.2
    )


def test_what_is_trained_on_the_same_rule_predicts_it(mixed):
    made, new = mixed[:300], mixed[300:]
    assert generation.trained_on(made, new, "kind") > 0.99
    assert generation.trained_on(made, new, "weight") > 0.7


def test_few_labels_are_kept():
    codes = np.repeat([0, 1], [100, 6])
    given = labels.some_labels(codes, 10, np.random.default_rng(0))
    known = given != labels.UNLABELLED
    np.testing.assert_array_equal(given[known], codes[known])
    assert np.bincount(given[known]).tolist() == [10, 3]


def test_the_rare_class_is_rare():
    rows, is_rare = anomalies.with_rare_class("wine", np.random.default_rng(0))
    assert len(rows) == len(is_rare)
    assert is_rare.mean() == pytest.approx(anomalies.RARE_SHARE, abs=0.01)


@pytest.mark.parametrize("kind", anomalies.ERRORS)
def test_planted_errors_are_where_they_are_said_to_be(kind):
    generator = np.random.default_rng(0)
    spoiled, is_wrong = anomalies.with_errors(
        "banknote", anomalies.ERRORS[kind], generator
    )
    true = reduction.table_of("banknote")[0].to_numpy()
    np.testing.assert_array_equal(spoiled != true, is_wrong)
    assert is_wrong.mean() == pytest.approx(anomalies.ERROR_SHARE, rel=0.3)
    # Whoever knew the truth would find them all.
    scores = np.abs(spoiled - true)
    first = np.argsort(-scores, axis=None)[: is_wrong.sum()]
    assert is_wrong.ravel()[first].all()


def test_a_gaussian_residual_is_that_of_the_regression():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20_000, 3)) @ rng.normal(size=(3, 3))
    found = anomalies.CELL_SCORES["gaussian"](rows)
    design = np.column_stack([rows[:, 1:], np.ones(len(rows))])
    residual = rows[:, 0] - design @ np.linalg.lstsq(design, rows[:, 0])[0]
    np.testing.assert_allclose(
        found[:, 0], np.abs(residual) / residual.std(), atol=0.02
    )


@pytest.mark.filterwarnings("ignore:.*IterativeImputer.*Early stopping")
@pytest.mark.parametrize("method", ["mean + pca", "iterative + pca"])
def test_a_pipeline_of_principal_components_tells_classes(method):
    found = reduction.solve("iris", "classes", method)
    assert found["n_components"] == 2
    assert found["score"] > 0.7


def test_principal_components_rebuild_what_lies_in_a_plane():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 5))
    rows = pd.DataFrame(plane).add_prefix("x")
    assert reduction.reconstruction(rows, None, "pca", 2) == pytest.approx(0, abs=1e-8)
    assert reduction.reconstruction(rows, None, "pca", 1) > 0.1


def test_calibration_error_is_how_far_said_and_true_shares_are_apart():
    said = np.linspace(0.4, 0.98, intervals.N_FINE)
    cells = np.full(intervals.N_FINE, 50.0)
    right = np.array([cells, cells * said, cells * said])
    assert intervals.calibration_error(right) == pytest.approx(0.0, abs=1e-9)
    boastful = np.array([cells, cells * said, cells * (said - 0.1)])
    assert intervals.calibration_error(boastful) == pytest.approx(0.1)


def test_intervals_are_scored_against_the_truth():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(2_000, 2)))
    part = Part(rows, rng.random(rows.shape) < 0.5)
    ends = np.zeros((2, *rows.shape)) + np.array([-1.0, 1.0])[:, None, None]
    found = intervals.of_intervals(part, {0.8: ends * 1.2816, 0.95: ends * 1.2816})
    assert found["coverage_0.8"] == pytest.approx(0.8, abs=0.02)
    # Gneiting & Raftery 2007, eq. 43, at the best ends: 2 phi(z) / 0.1.
    assert found["interval_score_0.8"] == pytest.approx(3.51, abs=0.1)
    assert (found["columns_off_0.8"], found["columns_off_0.95"]) == (0, 2)


@pytest.mark.parametrize("design", coefficients.DESIGNS)
def test_regressions_have_the_coefficients_that_tables_are_drawn_with(design):
    rng = np.random.default_rng(0)
    tables = [coefficients.DESIGNS[design](rng) for _ in range(200)]
    estimates = [coefficients.regression(table)[0] for table in tables]
    np.testing.assert_allclose(
        np.mean(estimates, axis=0), coefficients.SLOPES, atol=0.05
    )
    hidden = [np.isnan(coefficients.hide(table, rng)).mean(axis=0) for table in tables]
    np.testing.assert_allclose(np.mean(hidden, axis=0), [0.3, 0.3, 0, 0], atol=0.02)


def test_coefficients_are_counted_over_batches(monkeypatch):
    monkeypatch.setattr(coefficients, "N_TABLES", 3)
    method = "rows without a gap"
    rows = [
        {"design": "normal", "method": method, "batch": batch}
        | coefficients.solve("normal", method, batch)
        for batch in range(2)
    ]
    text = coefficients.render(pd.DataFrame(rows))
    share = sum(row["inside"][0] for row in rows) / 6
    assert f"| normal | {method} | intercept | 6 | {share:.3f} |" in text


def test_self_masked_cells_are_those_above_the_mean():
    table = self_masking.numbers_of("concrete", None)
    holed, columns = self_masking.hide(table)
    assert columns == list(table.columns[:4])
    np.testing.assert_array_equal(holed[columns].isna(), table[columns] > 0)
    pd.testing.assert_frame_equal(holed[table.columns[4:]], table[table.columns[4:]])


def test_self_masking_is_shown_beside_what_was_published():
    rows = [
        {"dataset": "banknote", "method": method, "seed": 0}
        | self_masking.solve("banknote", method, 0)
        for method in ("mean", "vae, known sign")
    ]
    assert rows[0]["rmse"] > 1.5  # what is missing is far from what is observed
    assert rows[1]["rmse"] < 0.8
    text = self_masking.render(pd.DataFrame(rows))
    assert "| not-MIWAE, self-masking (published) | 1.880 |" in text
    assert text.count("\n") == 6


def test_exponents_of_power_laws_come_back():
    rows = [
        {"work": "size", "arguments": f"{n} 20", "seconds": 1e-6 * n**0.9}
        for n in speed.ROWS
    ]
    rows += [
        {"work": "size", "arguments": f"2000 {n}", "seconds": 0.01 * n**1.1}
        for n in speed.COLUMNS
    ]
    rows += [{"work": "fill", "arguments": "vae letter", "seconds": 2.0, "rmse": 0.5}]
    rows += [{"work": "fill", "arguments": "iterative letter", "seconds": 4.0}]
    frame = pd.DataFrame(rows).assign(run=0, environment="", processor_seconds=0.0)

    shown = speed.render(frame)

    assert "rows to the power of 0.90" in shown
    assert "columns to the power of 1.10" in shown
    assert "| letter | iterative | 4.0 | – | 0.50 |" in shown


def test_bare_products_are_those_of_a_step(monkeypatch):
    monkeypatch.setattr(works, "timed", lambda products, repeat: len(products()))
    architecture = Architecture(4, 0, 0, 0, 2, (6, 5))
    kernels = [name for name, _ in works.kernels(architecture)]
    assert len(kernels) == 2 * (1 + 4) + 3 + 1
    # Forward, by weights, and by inputs but for those of the encoder.
    assert works.bare_products(architecture, 8, 2) == 3 * len(kernels) - 1


def test_work_is_done_and_printed(capsys):
    works.main("size", "200", "3")
    assert json.loads(capsys.readouterr().out)["seconds"] > 0


def test_the_import_of_the_imputer_is_timed():
    assert 0 < works.start_up()["seconds"] < 60


def test_a_step_on_a_device_is_set_beside_its_bound(monkeypatch):
    monkeypatch.setattr(Engine, "train", Engine.train)  # which the study replaces
    monkeypatch.setattr(gpu, "LARGE", 64)
    found = gpu.train_on(300, 4, 32, "cpu")
    assert found["device_name"] == "cpu"
    assert found["rows_per_second"] == pytest.approx(32 / found["step"])
    assert found["share_of_bound"] > 0
    assert found["fit"] > 10 * found["step"]


def test_products_of_a_step_are_counted():
    sizes = Architecture(3, 0, 0, 0, 2, (5,), n_bins=4)
    products = products_of_a_step(sizes, n_rows=8, n_bounded=2)
    inputs = sizes.n_features
    # Inputs, up, down and three heads of the encoder; inputs, up, down and outputs of
    # the decoder, where only the two bounded rows move the weights.
    assert len(products) == 3 * 10 - 1
    assert products[:2] == [(10, inputs, 5), (inputs, 10, 5)]
    assert products[-3:] == [(10, 5, 3), (10, 3, 5), (5, 2, 3)]
