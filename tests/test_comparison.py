"""Comparing imputers on hidden cells of a table."""

from typing import ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.impute import KNNImputer, SimpleImputer

import vaeimpute
from vaeimpute import VAEImputer, metrics
from vaeimpute.comparison import (
    Encoded,
    _is_as_good,
    compare_imputers,
    default_imputers,
)
from vaeimpute.datasets import load_penguins


class Spy(TransformerMixin, BaseEstimator):
    """Fills with a number, and keeps the tables that it sees, also as a clone."""

    seen: ClassVar[dict] = {}

    def __init__(self, name, number=0.0):
        self.name = name
        self.number = number

    def fit(self, X, y=None):
        self.seen.setdefault(self.name, []).append(np.array(X, dtype=float))
        return self

    def transform(self, X):
        self.seen.setdefault(self.name, []).append(np.array(X, dtype=float))
        filled = X if isinstance(X, np.ndarray) else X.to_numpy(copy=True)
        filled[np.isnan(filled)] = self.number  # an array is changed in place
        return filled


class Crash(Spy):
    def fit(self, X, y=None):
        raise RuntimeError("out of\n  luck")


@pytest.fixture
def seen(monkeypatch):
    """Return the tables that spies see, by their names."""
    monkeypatch.setattr(Spy, "seen", {})
    return Spy.seen


def noise(n_rows=200, n_columns=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_columns))


def frame(values):
    return pd.DataFrame(values, columns=[*"abcdefgh"[: values.shape[1]]])


def plain():
    """Return imputers of numbers that take no time."""
    imputers = default_imputers()
    del imputers["vae"]
    return imputers


def test_on_independent_columns_the_mean_is_as_good():
    found = compare_imputers(frame(noise()), plain(), random_state=0)
    assert (found.by_column["enough"] == "mean").all()
    assert found.chosen == "mean"
    assert " mean " in f" {found.advice.splitlines()[0]}"
    assert found.advice.splitlines()[0].endswith("use it.")
    assert found.advice.startswith(
        ("mean is as good as", "Nothing is better than mean")
    )


def test_on_a_linear_table_regressions_are_advised():
    latent = noise(300, 2)
    X = frame(latent @ noise(2, 5, seed=1) + 0.3 * noise(300, 5, seed=2))
    imputers = {**plain(), "late": plain()["iterative"]}
    found = compare_imputers(X, imputers, random_state=0)
    assert (found.by_column["enough"] == "iterative").all()
    assert found.chosen == "iterative"
    assert found.advice.startswith(
        "iterative is better than anything simpler, clearly so on 5 of 5 columns"
    )
    assert found.overall.loc["mean", "numbers"] > 0.9
    assert found.overall.loc["iterative", "numbers"] < 0.5
    # The same imputer once more is never advised: it is as good, and comes later.
    assert "late" not in found.advice


def test_on_a_curved_table_the_vae_is_advised():
    x = noise(400, 1)
    X = frame(np.column_stack([x, x**2, np.abs(x)]) + 0.05 * noise(400, 3, seed=1))
    imputers = default_imputers(random_state=0)
    del imputers["knn"]
    imputers["vae"].set_params(hidden_layer_sizes=(32,), max_iter=100)
    found = compare_imputers(X, imputers, n_repeats=1, random_state=0)
    assert (found.by_column.loc[["b", "c"], "enough"] == "vae").all()
    assert found.advice.startswith("vae is better than anything simpler")


def test_error_of_a_column_is_the_metric():
    X = frame(noise() * [1.0, 10.0, 0.1, 3.0] + [0.0, 5.0, 0.0, -2.0])
    X.iloc[:30, 1] = np.nan
    imputers = {"one": Encoded(SimpleImputer())}
    found = compare_imputers(X, imputers, n_repeats=2, random_state=3)
    seeds = np.random.RandomState(3).randint(2**31 - 1, size=3)[:2]
    truths, answers, hiddens = [], [], []
    for seed in seeds:
        hidden = hidden_cells(X, seed)
        table = X.mask(hidden)
        truths.append(X)
        answers.append(table.fillna(table.mean()))
        hiddens.append(hidden)
    truth, filled, hidden = (np.concatenate(x) for x in (truths, answers, hiddens))
    for j, name in enumerate(X):
        of_column = [x[:, [j]] for x in (truth, filled, hidden)]
        expected = metrics.nrmse(*of_column)
        np.testing.assert_allclose(found.by_column.loc[name, "one"], expected)
    assert found.by_column["n_hidden"].tolist() == [40, 34, 40, 40]


def hidden_cells(X, seed):
    """Find out which cells a repeat hides from what an imputer is shown."""
    from vaeimpute._hidden_cells import choose_cells

    return choose_cells(X.notna().to_numpy(), 0.1, seed)


def test_error_of_levels_is_one_minus_accuracy():
    cities = ["Oslo"] * 60 + ["Rome"] * 40
    X = pd.DataFrame({"city": cities, "n": np.arange(100.0)})
    imputers = {"mode": Encoded(SimpleImputer())}
    found = compare_imputers(X, imputers, fraction=0.5, n_repeats=1, random_state=0)
    seed = np.random.RandomState(0).randint(2**31 - 1, size=2)[0]
    hidden = np.random.default_rng(seed).choice(100, 50, replace=False)
    wrong = np.mean(np.array(cities)[hidden] != "Oslo")
    assert found.by_column.loc["city", "mode"] == wrong
    assert found.overall.loc["mode", "levels"] == wrong
    assert found.by_column["kind"].tolist() == ["nominal", "numeric"]


@pytest.mark.parametrize("container", [frame, np.array])
def test_all_imputers_see_the_same_cells_and_never_the_hidden(seen, container):
    X = noise(50, 3) + 10.0
    X[:5, 0] = np.nan
    before = X.copy()
    imputers = {"one": Spy("one"), "two": Spy("two", 9.0), "three": Spy("three")}
    found = compare_imputers(container(X), imputers, n_repeats=2, random_state=0)
    assert len(seen["one"]) == 4  # fit and transform, twice
    for tables in zip(*seen.values(), strict=True):
        for table in tables:
            np.testing.assert_array_equal(table, tables[0])
    first, _, second, _ = seen["one"]
    assert not np.array_equal(np.isnan(first), np.isnan(second))
    for table in (first, second):
        shown = ~np.isnan(table)
        np.testing.assert_array_equal(table[shown], X[shown])
        assert (np.isnan(table) & ~np.isnan(X)).sum(axis=0).tolist() == [4, 5, 5]
    np.testing.assert_array_equal(X, before)
    assert found.by_column["best"].unique().tolist() == ["two"]


def test_input_frame_is_not_changed():
    X = load_penguins()
    before = X.copy()
    compare_imputers(X, plain(), n_repeats=1, random_state=0)
    pd.testing.assert_frame_equal(X, before)


def test_crash_is_reported_and_the_others_compared():
    X = frame(noise(40))
    imputers = {"crash": Crash("crash"), "knn": Encoded(KNNImputer()), **plain()}
    found = compare_imputers(X, imputers, random_state=0)
    assert found.overall.loc["crash", "failure"] == "RuntimeError: out of luck"
    assert found.overall["failure"].notna().sum() == 1
    assert found.by_column["crash"].isna().all()
    assert found.by_column[["knn", "mean"]].notna().all(axis=None)
    assert found.advice.splitlines()[-1] == "crash failed: RuntimeError: out of luck."
    without = compare_imputers(X, plain(), random_state=0)
    assert without.by_column["mean"].equals(found.by_column["mean"])


def test_cells_left_empty_are_a_failure():
    imputers = {"none": Spy("none", np.nan), "zero": Spy("zero")}
    found = compare_imputers(frame(noise(40, 2)), imputers, random_state=0)
    failure = found.overall.loc["none", "failure"]
    assert failure.startswith("ValueError: Column 'a': got 4 hidden cells with 4 left")
    assert found.advice.startswith("Only zero filled this table.")
    assert found.chosen == "zero"


def test_all_may_fail():
    found = compare_imputers(frame(noise(40)), {"crash": Crash("crash")})
    assert found.advice.startswith("No imputer filled this table.")
    assert found.chosen is None
    assert "RuntimeError" in str(found)


def test_same_seed_same_answer():
    X = load_penguins()
    one, two, other = (
        compare_imputers(X, plain(), n_repeats=1, random_state=seed)
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(one.by_column, two.by_column)
    assert one.advice == two.advice
    assert not one.by_column.equals(other.by_column)


def test_containers_agree():
    # Categories are in another order in polars, which decides between equal votes.
    X = load_penguins().select_dtypes("number")
    here = compare_imputers(X, plain(), n_repeats=1, random_state=0)
    there = compare_imputers(pl.from_pandas(X), plain(), n_repeats=1, random_state=0)
    columns = ["mean", "knn", "iterative"]
    pd.testing.assert_frame_equal(here.by_column[columns], there.by_column[columns])


def test_some_columns_are_not_compared():
    rng = np.random.default_rng(0)
    X = frame(noise(40, 2)).assign(
        one=[1.0] + [np.nan] * 39,
        same=2.5,
        text=[f"a remark of some length {x}" for x in rng.random(40)],
    )
    found = compare_imputers(X, plain(), random_state=0)
    notes = found.by_column["note"]
    assert notes[:2].isna().all()
    assert notes[2:].tolist() == [
        "too few observed cells",
        "a single value",
        "free text",
    ]
    assert found.by_column["n_hidden"].tolist() == [12, 12, 0, 0, 0]
    assert "free text" in str(found)


def test_few_cells_cannot_show_a_difference():
    x = noise(12, 1)
    X = frame(np.hstack([x, x + 0.8 * noise(12, 1, seed=1)]))
    found = compare_imputers(X, plain(), n_repeats=1, random_state=0)
    assert (found.by_column["n_hidden"] == 1).all()
    ratio = found.by_column["mean"] / found.by_column[["knn", "iterative"]].min(axis=1)
    assert ((found.by_column["enough"] == "mean") == (ratio <= 2)).all()


@pytest.mark.parametrize("shift", [0.0, 0.4, 0.8, 1.2, 1.6, 2.0])
def test_of_one_cell_per_row_it_is_the_paired_t_test(shift):
    """As good: the two-sided test of the losses does not reject at 5 %."""
    errors = noise(30, 2, seed=4) + 3.0
    errors[:, 0] += shift
    cells = pd.MultiIndex.from_product([[0], range(30)], names=["column", "row"])
    losses = pd.DataFrame(errors**2, index=cells, columns=["one", "best"])
    p = stats.ttest_rel(losses["one"], losses["best"]).pvalue
    is_worse = losses["one"].mean() > losses["best"].mean() and p < 0.05
    assert _is_as_good(losses, "one", "best", "numeric") == (not is_worse)
    # The same cells hidden twice are no further evidence.
    twice = pd.concat([losses, losses])
    assert _is_as_good(twice, "one", "best", "numeric") == (not is_worse)


def test_a_single_wild_cell_is_not_as_good():
    X = frame(noise(400, 2))
    imputers = {"wild": Wild(), "mean": SimpleImputer()}
    found = compare_imputers(X, imputers, n_repeats=1, random_state=0)
    assert (found.by_column["wild"] > 100).all()
    assert (found.by_column["enough"] == "mean").all()


class Wild(SimpleImputer):
    """The mean, but for one cell of each column."""

    def transform(self, X):
        filled = super().transform(X)
        for j, gaps in enumerate(X.isna().to_numpy().T):
            filled[np.flatnonzero(gaps)[0], j] = 1e6
        return filled


def test_better_columns_are_named():
    x = noise(400, 1)
    others = noise(400, 6, seed=1)
    X = frame(np.hstack([others, x, x + 0.1 * noise(400, 1, seed=2)]))
    imputers = {"mean": Encoded(SimpleImputer()), "gh": OnlyLast()}
    found = compare_imputers(X, imputers, random_state=0)
    assert found.by_column["enough"].tolist() == ["mean"] * 6 + ["gh"] * 2
    assert found.advice.splitlines()[1:] == [
        "A more complex imputer is better on 2 of 8 columns: 'g' (gh), 'h' (gh)."
    ]


class OnlyLast(SimpleImputer):
    """Fills the last two columns by each other, and the others badly."""

    def transform(self, X):
        filled = super().transform(X)
        gaps = X.isna().to_numpy()
        filled[:, :-2] += 0.8 * gaps[:, :-2]
        for j, k in ((-1, -2), (-2, -1)):
            filled[:, j] = np.where(gaps[:, j], filled[:, k], filled[:, j])
        return filled


def test_listed_numbers_are_levels():
    codes = np.random.default_rng(0).integers(0, 3, size=(90, 1))
    X = np.hstack([codes, codes + noise(90, 1) / 10])
    imputers = default_imputers(categorical_features=[0])
    del imputers["vae"]
    found = compare_imputers(X, imputers, categorical_features=[0], random_state=0)
    assert found.by_column["kind"].tolist() == ["nominal", "numeric"]
    assert found.by_column.loc[0, "knn"] < found.by_column.loc[0, "mean"]


def test_default_imputers_fill_a_table_of_all_kinds():
    X = (
        load_penguins()
        .iloc[::3]
        .assign(
            seen=pd.date_range("2020-01-01", periods=115),
            tagged=[True, False] * 57 + [True],
        )
    )
    imputers = default_imputers(random_state=0)
    assert list(imputers) == ["mean", "knn", "iterative", "vae"]
    assert isinstance(imputers["vae"], VAEImputer)
    imputers["vae"].set_params(hidden_layer_sizes=(16,), n_components=2, max_iter=5)
    found = compare_imputers(X, imputers, n_repeats=1, random_state=0)
    assert found.overall["failure"].isna().all()
    assert found.by_column["n_hidden"].gt(0).all()
    assert str(found).endswith(found.advice)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fraction": 1.0}, "fraction: got 1.0"),
        ({"fraction": "a"}, "fraction: got 'a'"),
        ({"n_repeats": 0}, "n_repeats: got 0"),
        ({"n_repeats": True}, "n_repeats: got True"),
        ({"imputers": {}}, "imputers: got {}"),
        ({"imputers": [SimpleImputer()]}, "imputers: got"),
        ({"imputers": {"best": SimpleImputer()}}, "imputers: got the name 'best'"),
        ({"imputers": {"a": SimpleImputer}}, r"imputers\['a'\]: got"),
        ({"imputers": {"a": 3}}, r"imputers\['a'\]: got 3"),
        ({"categorical_features": ["z"]}, "categorical_features: got 'z'"),
        ({"X": pd.DataFrame({"a": [1.0, None], "b": [2.0, 2.0]})}, "X: got no column"),
    ],
)
def test_errors_name_the_parameter(parameters, message):
    X = parameters.pop("X", frame(noise(20, 2)))
    with pytest.raises(ValueError, match=message):
        compare_imputers(X, **parameters)


def test_encoded_fills_only_gaps_and_knows_no_new_levels():
    X = load_penguins()
    imputer = Encoded(KNNImputer(), drop_first=True).fit(X)
    filled = imputer.transform(X)
    assert filled.notna().all(axis=None)
    pd.testing.assert_frame_equal(filled.where(X.notna()), X)
    new = X.head(3).astype({"island": str}).assign(island="Bouvet")
    assert (imputer.transform(new)["island"] == "Bouvet").all()


def test_encoded_mean_is_mean_and_mode():
    X = load_penguins()
    filled = Encoded(SimpleImputer()).fit_transform(X)
    gaps = X["body_mass_g"].isna()
    np.testing.assert_allclose(filled["body_mass_g"][gaps], X["body_mass_g"].mean())
    assert (filled["sex"][X["sex"].isna()] == X["sex"].mode()[0]).all()


def test_encoded_leaves_an_empty_column():
    X = frame(noise(10, 2)).assign(c=np.nan)
    X.iloc[0, 0] = np.nan
    filled = Encoded(SimpleImputer()).fit_transform(X)
    assert filled["c"].isna().all()
    assert filled[["a", "b"]].notna().all(axis=None)


def test_encoded_leaves_what_the_imputer_leaves():
    X = pd.DataFrame({"x": [1.0, np.nan, 3.0], "kind": ["b", None, "a"]})

    class Idle(SimpleImputer):
        def transform(self, X):
            return X

    imputer = Encoded(Idle()).fit(X)
    pd.testing.assert_frame_equal(imputer.transform(X), X)


def test_encoded_must_be_fitted():
    imputer, X = Encoded(SimpleImputer()), load_penguins()
    for method in (imputer.transform, imputer.predict_proba):
        with pytest.raises(NotFittedError):
            method(X)


def test_is_exported():
    assert vaeimpute.compare_imputers is compare_imputers


@pytest.mark.parametrize("drop_first", [False, True])
def test_filled_indicators_are_probabilities(drop_first):
    X = pd.DataFrame({"x": [0.0, 0.0, 9.0, 9.0, 9.0], "kind": [*"abb", None, "c"]})
    imputer = Encoded(KNNImputer(n_neighbors=2), drop_first=drop_first).fit(X)
    found = imputer.predict_proba(X)
    assert list(found) == ["kind"]
    assert list(found["kind"]) == ["a", "b", "c"]
    expected = np.array([0.001, 0.5, 0.5]) / 1.001
    np.testing.assert_allclose(found["kind"].loc[3], expected)
    np.testing.assert_allclose(found["kind"].sum(axis=1), 1.0)


def test_draws_are_those_of_the_imputer():
    class Drawing(SimpleImputer):
        def draw(self, X, n_draws, random_state=None):
            return [np.where(np.isnan(X), k, X) for k in range(n_draws)]

    X = pd.DataFrame({"x": [1.0, 3.0, None], "kind": ["a", "b", "a"]})
    zero, one = Encoded(Drawing()).fit(X).draw(X, 2)
    assert zero["x"].tolist() == pytest.approx([1.0, 3.0, 2.0])  # the mean
    assert one["x"].tolist() == pytest.approx([1.0, 3.0, 3.0])  # and one sd more
    assert zero["kind"].tolist() == ["a", "b", "a"]
    assert not hasattr(Encoded(SimpleImputer()), "draw")
