"""How the benchmark runs a case: who sees what, what is scored, what counts as failed.

Toy methods run in this process, but where processes are what is tested: there they are
modules of their own, as the rivals are.
"""

import ast
import json
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.impute import SimpleImputer

from benchmarks import isolation, problems
from benchmarks.__main__ import main
from benchmarks.datasets import Table
from benchmarks.methods import METHODS, Method, method_named
from benchmarks.problems import Problem, hidden_cells
from benchmarks.protocol import Case, Limits, read_rows, run_case
from benchmarks.rivals.chained_regressions import ChainedRegressions
from benchmarks.rivals.em_gaussian import GaussianEM
from benchmarks.run import FEW_DRAWS, run
from benchmarks.suites import SUITES, Suite
from benchmarks.worker import work
from vaeimpute import VAEImputer, metrics
from vaeimpute.comparison import Encoded

TOY = "toy"
LIMITS = Limits(seconds=300, gib=8)


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


class Waiting(ConstantFiller):
    def fit(self, table):
        time.sleep(0.2)
        return super().fit(table)


class Failing:
    def fit(self, table):
        raise ArithmeticError("diverged\nat step 3")

    def transform(self, table):
        return table


def in_this_process(module, arguments, *, environment, folder, max_seconds):
    work(method_named(arguments[0]), folder, int(arguments[2]))


@pytest.fixture
def toy_table():
    return pd.DataFrame(np.random.default_rng(0).normal(size=(50, 3)), columns=[*"abc"])


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


@pytest.fixture
def fill_by(monkeypatch):
    """A function that has an imputer fill 30 % of a table, and returns the result."""

    def result(rows, make, new_share=0.0, target=None, mask=0):
        monkeypatch.setitem(METHODS, TOY, Method(make))
        problem = Problem.of(Table(rows, target), "independent", 0.3, mask, new_share)
        case = Case("table", "independent", 0.3, mask, TOY)
        return run_case(case, problem, LIMITS, in_this_process)

    return result


def hidden_in(table, mask=0):
    return hidden_cells(table, "independent", 0.3, mask) & table.notna().to_numpy()


def test_hidden_cells_follow_the_mask_and_the_rate():
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(1000, 10)))
    for mechanism in ("independent", "mcar", "mar", "mnar"):
        hidden = hidden_cells(rows, mechanism, 0.3, mask=1)
        again = hidden_cells(rows, mechanism, 0.3, mask=1)
        np.testing.assert_array_equal(hidden, again)
        assert (hidden != hidden_cells(rows, mechanism, 0.3, mask=2)).any()
        assert hidden.mean() == pytest.approx(0.3, abs=0.02)


def test_all_methods_get_the_same_cells_and_no_hidden_ones(fill_by, toy_table):
    seen = []
    results = [
        fill_by(toy_table, partial(ConstantFiller, value, seen)) for value in (0.0, 7.0)
    ]

    hidden = hidden_in(toy_table)
    pd.testing.assert_frame_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[0].isna(), hidden)
    np.testing.assert_array_equal(seen[0], toy_table.mask(hidden))
    # Nor the names, by which a table could be found again.
    assert list(seen[0]) == ["x0", "x1", "x2"]
    assert results[0]["cells"] == results[1]["cells"]
    assert results[0]["n_hidden"] == hidden.sum()


def test_new_rows_are_kept_from_the_fit(fill_by, toy_table):
    seen = []
    table = toy_table.assign(key=np.arange(50.0))
    row = fill_by(table, partial(ConstantFiller, 0.0, seen), new_share=0.2)

    assert row["n_rows"] == len(seen[0]) == 40
    assert row["n_new_rows"] == 10
    assert row["n_hidden"] + row["n_new_hidden"] == hidden_in(table).sum()
    problem = Problem.of(Table(table), "independent", 0.3, 0, 0.2)
    keys = [part.rows["key"] for part in problem.parts.values()]
    assert sorted(np.concatenate(keys)) == list(range(50))


def test_a_method_for_fitted_rows_alone_has_no_score_of_new_ones(fill_by, toy_table):
    class Once:
        def fit_transform(self, table):
            return table.fillna(0.0)

    row = fill_by(toy_table, Once, new_share=0.2)
    assert row["error"] is None
    assert row["rmse"] > 0
    assert "new_rmse" not in row
    assert "downstream_linear" not in row


def test_fingerprint_tells_tables_and_masks_apart(fill_by, toy_table):
    found = {
        fill_by(toy_table, ConstantFiller)["cells"],
        fill_by(toy_table, ConstantFiller, mask=1)["cells"],
        fill_by(toy_table.iloc[::-1], ConstantFiller)["cells"],
        fill_by(toy_table, ConstantFiller, new_share=0.2)["cells"],
    }
    assert len(found) == 4


def test_rmse_is_in_units_of_the_complete_column(fill_by):
    # Columns of sd 1 and 10, each cell one sd from the mean 0: filling 0 is off by 1.
    signs = np.tile([[1.0], [-1.0]], (25, 1))
    row = fill_by(pd.DataFrame(signs * [1.0, 10.0]), ConstantFiller)
    assert row["error"] is None
    assert row["rmse"] == pytest.approx(1.0)
    assert row["mae"] == pytest.approx(1.0)
    assert row["skill"] == pytest.approx(0.0, abs=0.2)
    assert row["fit_seconds"] >= 0
    assert row["transform_seconds"] >= 0


def test_waiting_takes_seconds_but_no_processor_seconds(fill_by, toy_table):
    row = fill_by(toy_table, Waiting)
    assert row["fit_seconds"] >= 0.2
    assert 0 <= row["processor_seconds"] < 0.2


def test_errors_in_new_rows_have_the_unit_of_the_fitted_ones(fill_by):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(200, 2)) * [1.0, 100.0])
    row = fill_by(table, ConstantFiller, new_share=0.5)
    parts = Problem.of(Table(table), "independent", 0.3, 0, 0.5).parts
    unit = parts[""].rows.std(ddof=0).to_numpy()
    errors = (parts["new_"].rows / unit).to_numpy()[parts["new_"].hidden]
    assert row["new_rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)))


def test_accuracy_is_the_share_of_right_levels_in_hidden_observed_cells(
    fill_by, nominal_table
):
    seen = []
    table = nominal_table[["letter", "copy"]].assign(
        copy=lambda table: table["copy"].cat.rename_categories({"x": "b"})
    )
    row = fill_by(table, partial(ConstantFiller, "b", seen))

    hidden = hidden_in(table)
    assert row["error"] is None
    assert row["n_hidden"] == hidden.sum()
    assert row["accuracy"] == (table == "b").to_numpy()[hidden].mean()
    assert "rmse" not in row
    np.testing.assert_array_equal(seen[0].isna(), table.mask(hidden).isna())


def test_mixed_tables_are_scored_by_both_metrics(fill_by, toy_table):
    levels = pd.Categorical(["low", "high"] * 25)
    table = toy_table.assign(level=levels, other=levels)

    class Oracle:
        def fit(self, incomplete):
            return self

        def transform(self, incomplete):
            answers = table.assign(other="low").set_axis(incomplete.columns, axis=1)
            return answers

    row = fill_by(table, Oracle)
    hidden = hidden_in(table)[:, 3:]
    right = np.column_stack([np.ones(50, dtype=bool), levels == "low"])
    assert row["rmse"] == 0
    assert row["skill"] == 1
    assert row["accuracy"] == right[hidden].mean()


def test_probabilities_are_scored_by_their_logarithm(fill_by, nominal_table):
    table = nominal_table[["copy"]]

    class Sure(ConstantFiller):
        def predict_proba(self, incomplete):
            rows = np.tile([0.5, 0.25, 0.25], (len(incomplete), 1))
            return {"x0": pd.DataFrame(rows, columns=[*"zxy"])}

    row = fill_by(table, partial(Sure, "x"))
    true = table["copy"][hidden_in(table)[:, 0]]
    expected = np.where(true == "z", np.log(2), np.log(4)).mean()
    assert row["log_loss"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("make", "max_rows"),
    [
        (partial(Encoded, GaussianEM()), 200),
        (partial(Encoded, GaussianEM()), 1_000),
        (partial(VAEImputer, hidden_layer_sizes=(), random_state=0), 1_000),
    ],
)
def test_draws_are_scored_as_distributions(fill_by, monkeypatch, make, max_rows):
    monkeypatch.setattr(problems, "MAX_DRAWN_ROWS", max_rows)
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(400, 1))
    table = pd.DataFrame(factor + 0.5 * rng.normal(size=(400, 4)))
    row = fill_by(table, make, new_share=0.25)
    mean = fill_by(table, partial(Encoded, SimpleImputer()), new_share=0.25)

    assert row["coverage"] == pytest.approx(0.95, abs=0.04)
    assert row["new_coverage"] == pytest.approx(0.95, abs=0.06)
    # The absolute error of the mean is √2 times the score of the distribution.
    assert row["crps"] == pytest.approx(row["mae"] / np.sqrt(2), rel=0.1)
    assert row["energy_distance"] < 0.25 * mean["energy_distance"]
    assert "crps" not in mean


def test_failing_to_draw_is_told_apart_from_failing_to_fill(fill_by, toy_table):
    class Undrawable(ConstantFiller):
        def draw(self, table, n_draws, random_state):
            raise ValueError("data must be finite")

    row = fill_by(toy_table, Undrawable)
    filled = fill_by(toy_table, ConstantFiller)
    assert row["error"] is None
    assert row["rmse"] == filled["rmse"]
    assert row["draws_error"] == "ValueError: data must be finite"
    assert "crps" not in row


def test_what_is_predicted_from_filled_rows_is_scored(fill_by):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(300, 3)))
    classes = pd.Series(pd.Categorical(np.where(rows[0] > 0, "up", "down")))

    class Oracle(ConstantFiller):
        def transform(self, incomplete):
            hidden = incomplete.isna()
            return incomplete.where(~hidden, self._truth(incomplete))

        def _truth(self, incomplete):
            problem = Problem.of(Table(rows), "independent", 0.3, 0, 0.2)
            size = {len(part.rows): part.rows for part in problem.parts.values()}
            return size[len(incomplete)].set_axis(incomplete.columns, axis=1)

    for target in (rows[0] + rows[1], classes):
        right = fill_by(rows, Oracle, new_share=0.2, target=target)
        wrong = fill_by(rows, ConstantFiller, new_share=0.2, target=target)
        for name in ("downstream_boosting", "downstream_linear"):
            assert right[name] == right[f"{name}_complete"]
            assert wrong[name] < right[name]
            assert wrong[f"{name}_native"] < right[name]
        assert right["downstream_linear"] > 0.98


def test_a_filled_level_that_is_no_category_is_a_failure(fill_by, nominal_table):
    row = fill_by(nominal_table[["copy"]], partial(ConstantFiller, "w"))
    assert "category" in row["error"] or "filled: got nan" in row["error"]
    assert "accuracy" not in row


@pytest.mark.parametrize("name", ["iterative", "knn", "knn-distance", "missforest"])
def test_methods_recover_levels_that_follow_from_others(fill_by, nominal_table, name):
    row = fill_by(nominal_table, METHODS[name].make)
    mode = fill_by(nominal_table, METHODS["mode"].make)

    # 0.37 of the cells are missing or hidden: a cell has a column that it follows
    # from in 1 - 0.37 ** 2 = 0.86 of the rows.
    assert row["error"] is None
    assert mode["accuracy"] < 0.6 < 0.8 < row["accuracy"]
    assert row["log_loss"] < 0.6
    assert row["cells"] == mode["cells"]


def test_regressions_need_one_indicator_less(fill_by, nominal_table):
    # The reason for `drop_first`: with all indicators nothing leaves the mode.
    table = nominal_table[["numeral", "letter"]]
    every = partial(Encoded, ChainedRegressions(max_iter=10))

    scores = [
        fill_by(table, make)["accuracy"]
        for make in (METHODS["mode"].make, every, METHODS["iterative"].make)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)
    assert scores[2] > scores[1] + 0.1


def test_iterative_beats_the_mean_in_any_unit(fill_by):
    factor = np.random.default_rng(0).normal(size=(200, 1))
    noise = np.random.default_rng(1).normal(size=(200, 4))
    table = pd.DataFrame((factor + 0.3 * noise) * [1e-6, 1.0, 1.0, 1e6] + 5.0)

    rmse = {
        name: fill_by(table, METHODS[name].make)["rmse"]
        for name in ("mean", "iterative")
    }
    assert rmse["mean"] == pytest.approx(1.0, abs=0.1)
    # With the factor known exactly, 0.3 / sqrt(1.09) = 0.29 would be left.
    assert 0.25 < rmse["iterative"] < 0.5


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (Failing, "ArithmeticError: diverged"),
        (partial(ConstantFiller, np.nan), "ValueError: filled"),
    ],
)
def test_a_failure_is_a_row_with_its_error(fill_by, toy_table, make, error):
    row = fill_by(toy_table, make)
    assert row["error"].startswith(error)
    assert (row["dataset"], row["mask"], row["method"]) == ("table", 0, TOY)
    assert "rmse" not in row


@pytest.fixture
def rivals(tmp_path, monkeypatch):
    """A module of methods, for processes of their own; gives their names."""
    code = Path(__file__).with_name("toy_rivals.py").read_text(encoding="utf-8")
    (tmp_path / "toy_rivals.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    return "toy_rivals:{}".format


def in_own_process(method, table, limits=LIMITS, mask=0):
    problem = Problem.of(Table(table), "mcar", 0.3, mask, 0.2)
    return run_case(Case("table", "mcar", 0.3, mask, method), problem, limits)


def test_a_method_runs_in_a_process_of_its_own(rivals, toy_table):
    row = in_own_process(rivals("MEAN"), toy_table)
    assert row["error"] is None
    hidden = hidden_cells(toy_table, "mcar", 0.3, 0)
    parts = Problem.of(Table(toy_table), "mcar", 0.3, 0, 0.2).parts
    assert row["n_hidden"] + row["n_new_hidden"] == hidden.sum()
    fitted = parts[""]
    filled = fitted.rows.mask(fitted.hidden).fillna(
        fitted.rows.mask(fitted.hidden).mean()
    )
    expected = metrics.nrmse(fitted.rows, filled, fitted.hidden)
    assert row["rmse"] == pytest.approx(expected)
    assert 10 < row["base_mib"] <= row["peak_mib"] < 2_000
    assert row["new_ms_per_1000"] > 0
    assert row["environment"]["numpy"] == np.__version__
    assert isolation.in_fresh_process(os.getpid) != os.getpid()


def test_a_method_that_looks_for_the_truth_finds_none(rivals, toy_table):
    # It searches its objects, frames, arguments, variables and files for any number
    # of the truth that it was not given, and fills what it finds.
    row = in_own_process(rivals("CHEAT"), toy_table)
    assert row["error"] is None
    zero = in_own_process(rivals("ZERO"), toy_table)
    assert row["rmse"] == zero["rmse"]

    # The search itself works: given the truth in a file, it finds it.
    parts = Problem.of(Table(toy_table), "mcar", 0.3, 0, 0.2).parts

    def leaking(module, arguments, *, folder, **options):
        parts[""].rows.to_parquet(folder / "truth.parquet")
        isolation.run_module(module, arguments, folder=folder, **options)

    case = Case("table", "mcar", 0.3, 0, rivals("CHEAT"))
    leaked = run_case(case, Problem(parts[""], parts["new_"]), LIMITS, leaking)
    assert leaked["rmse"] < 0.5 * zero["rmse"]


@pytest.mark.parametrize(
    ("name", "limits", "error"),
    [
        ("CRASH", LIMITS, "RuntimeError: ended with status -"),
        ("SLOW", Limits(seconds=6, gib=8), "TimeoutError: took more than 6 s"),
        ("GREEDY", Limits(seconds=60, gib=3), "MemoryError"),
        ("LOST", LIMITS, "ModuleNotFoundError"),
    ],
)
def test_what_ends_a_method_is_its_result(rivals, toy_table, name, limits, error):
    row = in_own_process(rivals(name), toy_table, limits)
    assert error in row["error"]
    assert "rmse" not in row


@pytest.mark.parametrize("name", ["missforest", "vae"])
def test_a_repeated_case_gives_the_same_score(name):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 1)) + 0.5 * rng.normal(size=(60, 3)))
    first, second = (in_own_process(name, table) for _ in range(2))
    assert first["error"] is None
    for score in ("rmse", "mae", "new_rmse", "energy_distance"):
        assert first[score] == pytest.approx(second[score], abs=1e-6)


@pytest.fixture
def toy_suite(monkeypatch, toy_table):
    suite = Suite(
        datasets=("table",),
        settings=(("mcar", 0.3),),
        masks=(0, 1),
        methods=("bad", "zero"),
        slow_methods=("slow",),
        table=lambda name, table: Table(toy_table),
    )
    monkeypatch.setattr("benchmarks.suites.load", lambda name, folder: None)
    return suite


def test_resuming_runs_only_what_is_lacking(toy_suite, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setitem(METHODS, "zero", Method(partial(ConstantFiller, 0.0, seen)))
    monkeypatch.setitem(METHODS, "bad", Method(Failing))
    path = tmp_path / "new" / "results.jsonl"
    cases = list(toy_suite.cases(("bad", "zero")))

    run(cases[:2], toy_suite, path, execute=in_this_process)
    lines = path.read_text().splitlines()
    assert len(seen) == 1

    run(cases, toy_suite, path, execute=in_this_process)
    assert len(seen) == 2
    assert path.read_text().splitlines()[:2] == lines
    rows = read_rows(path)
    assert list(rows) == cases
    assert rows[cases[0]]["error"] == "ArithmeticError: diverged\nat step 3"
    assert rows[cases[3]]["error"] is None
    assert rows[cases[3]]["environment"]["numpy"] == np.__version__


def test_masks_after_the_first_get_few_draws(toy_suite, tmp_path, monkeypatch):
    n_draws = []

    def count(module, arguments, **settings):
        n_draws.append(int(arguments[2]))
        in_this_process(module, arguments, **settings)

    monkeypatch.setitem(METHODS, "zero", Method(ConstantFiller))
    run(toy_suite.cases(("zero",)), toy_suite, tmp_path / "rows.jsonl", execute=count)
    assert n_draws == [LIMITS.n_draws, FEW_DRAWS]


def test_slow_methods_get_the_first_mask_alone(toy_suite):
    masks = [case.mask for case in toy_suite.cases() if case.method == "slow"]
    assert masks == [0]
    assert len(list(toy_suite.cases())) == 5
    assert len({case[:-1] for case in toy_suite.cases()}) == 2


def test_headline_is_twelve_tables_in_four_settings():
    suite = SUITES["headline"]
    cases = list(suite.cases(("vae",)))
    assert len(cases) == len(set(cases)) == 12 * 4 * 3
    assert set(suite.settings) == {
        ("mcar", 0.3),
        ("mar", 0.3),
        ("mnar", 0.3),
        ("mcar", 0.5),
    }


def test_suites_name_methods_and_tables_that_exist():
    table = pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"]})
    for suite in SUITES.values():
        assert {*suite.methods, *suite.slow_methods} <= set(METHODS)
        rows = suite.table("unknown", table).rows
        if suite.metric == "accuracy":
            assert (rows.dtypes == "category").all()
        assert len(rows) == 2


def test_every_environment_of_a_method_can_be_built():
    named = {method.environment for method in METHODS.values()} - {None}
    assert named <= set(isolation.environment_names())


def test_broken_line_of_results_is_named(tmp_path):
    path = tmp_path / "results.jsonl"
    row = Case("a", "mcar", 0.3, 0, "zero")._asdict()
    path.write_text(json.dumps(row) + '\n{"dataset": "to')

    with pytest.raises(ValueError, match=r"results\.jsonl, line 2"):
        read_rows(path)


def test_the_command_line_runs_and_reports(tmp_path):
    out = str(tmp_path / "lines.jsonl")
    options = ["--methods", "mean", "--datasets", "concrete,banknote", "--out", out]
    found = CliRunner().invoke(main, ["run", *options])
    assert found.exit_code == 0, found.output
    assert [case.dataset for case in read_rows(Path(out))] == ["concrete", "banknote"]

    found = CliRunner().invoke(main, ["report", "--suite", "quick", "--results", out])
    assert found.exit_code == 0, found.output
    assert "2 of 20 cases are done; 0 of them failed." in found.output
    assert "## RMSE, mcar 30 %" in found.output


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["run", "--methods", "magic"], "--methods: 'magic' is none of"),
        (["run", "--suite", "full"], "--data"),
    ],
)
def test_the_command_line_refuses(command, message):
    found = CliRunner().invoke(main, command)
    assert found.exit_code == 2
    assert message in found.output


def test_only_public_names_of_the_package_are_imported():
    names, folder = set(), Path(problems.__file__).parent
    # What environments that were built hold is not ours.
    for path in (*folder.glob("*.py"), *folder.glob("rivals/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}

    ours = {name for name in names if name.split(".")[0] == "vaeimpute"}
    assert "vaeimpute.VAEImputer" in ours
    assert not [name for name in ours if "._" in name]
