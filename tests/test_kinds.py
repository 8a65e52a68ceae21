"""Kinds of columns, from the table to the filled table."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import expit

from vaeimpute import VAEImputer
from vaeimpute.model_selection import hidden_cell_score

N_ROWS = 120


def linear(**parameters):
    """Return an imputer with the linear core alone: fast, and good enough here."""
    return VAEImputer(**{"hidden_layer_sizes": (), "random_state": 0} | parameters)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def size(rng):
    """Return what all columns of a table depend on."""
    return rng.normal(size=N_ROWS)


def holed(table, rng, fraction=0.2):
    return table.mask(rng.random(table.shape) < fraction)


@pytest.fixture
def every_kind(rng, size):
    noise = 0.3 * rng.normal(size=(8, N_ROWS))
    grades = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
    born = pd.Timestamp("2001-03-01") + pd.to_timedelta(
        np.rint(900 * (size + noise[0])), unit="D"
    )
    return pd.DataFrame(
        {
            "height": size + noise[1],
            "income": np.exp(size + noise[2]),
            "visits": rng.poisson(np.exp(size + 0.5)).astype(float),
            "share": expit(2 * (size + noise[3]) - 3),
            "grade": pd.Series(
                pd.cut(size + noise[4], [-9, -0.5, 0.5, 9], labels=grades.categories)
            ).astype(grades),
            "member": pd.array(size + noise[5] > 0, dtype="boolean"),
            "city": pd.Categorical(np.where(size > 0.5, "Oslo", "Rome")).add_categories(
                ["Lyon"]
            ),
            "born": born,
            "wait": pd.to_timedelta(np.rint(60 + 20 * size), unit="min"),
        }
    )


def test_likelihood_of_each_kind(every_kind, rng):
    table = holed(every_kind, rng)
    imputer = linear().fit(table)
    assert imputer.likelihoods_ == {
        "height": "normal",
        "income": "lognormal",
        "visits": "count",
        "share": "logitnormal",
        "grade": "ordinal",
        "member": "bernoulli",
        "city": "categorical",
        "born": "normal",
        "wait": "normal",
    }


def test_every_kind_comes_back_filled(every_kind, rng):
    table = holed(every_kind, rng)
    filled = linear().fit_transform(table)

    pd.testing.assert_series_equal(filled.dtypes, table.dtypes)
    assert not filled.isna().any(axis=None)
    assert filled.where(table.notna()).equals(table)
    assert filled["income"].min() >= 0
    assert filled["share"].between(0, 1).all()
    # All observed dates are midnights, all durations whole minutes.
    assert (filled["born"] == filled["born"].dt.normalize()).all()
    assert (filled["wait"] % pd.Timedelta("1min") == pd.Timedelta(0)).all()


def test_rows_held_at_once_change_nothing(every_kind, rng, monkeypatch):
    table = holed(every_kind, rng)
    imputer = linear().fit(table)
    whole = imputer.transform(table)
    monkeypatch.setattr("vaeimpute._uncertainty._ROWS_AT_ONCE", 7)
    pd.testing.assert_frame_equal(imputer.transform(table), whole)


@pytest.mark.parametrize(
    "name", ["height", "income", "visits", "share", "born", "wait"]
)
def test_numbers_of_each_kind_are_predicted(every_kind, rng, name):
    table = holed(every_kind, rng)
    filled = linear().fit_transform(table)
    hidden = table[name].isna()
    truth, guess, known = (
        x.astype("int64") / 1e9 if x.dtype.kind in "mM" else x
        for x in (
            every_kind.loc[hidden, name],
            filled.loc[hidden, name],
            table.loc[~hidden, name],
        )
    )
    error, baseline = np.square(guess - truth), np.square(truth - known.mean())
    assert error.mean() < 0.5 * baseline.mean()


def test_ordered_levels_are_predicted(every_kind, rng):
    table = holed(every_kind, rng)
    filled = linear().fit_transform(table)
    hidden = table["grade"].isna()
    right = filled["grade"][hidden] == every_kind["grade"][hidden]
    assert right.mean() > 0.6


def test_likelihood_can_be_overruled(every_kind, rng):
    table = holed(every_kind, rng)
    given = {"income": "normal", "visits": "lognormal", "grade": "categorical"}
    imputer = linear(likelihoods=given).fit(table)
    assert {name: imputer.likelihoods_[name] for name in given} == given
    assert not imputer.transform(table).isna().any(axis=None)


def test_likelihood_by_position(rng):
    X = np.exp(rng.normal(size=(60, 2)))
    imputer = linear(likelihoods={1: "normal"}).fit(X)
    assert imputer.likelihoods_ == {0: "lognormal", 1: "normal"}


def test_likelihood_that_the_values_rule_out(every_kind):
    message = "Column 'height': likelihoods names 'count', but got fractions"
    with pytest.raises(ValueError, match=message):
        linear(likelihoods={"height": "count"}).fit(every_kind)


def test_score_does_not_hang_on_the_unit_of_skewed_numbers(rng):
    X = np.exp(rng.normal(size=(200, 3)) + rng.normal(size=(200, 1)))
    one, thousandfold = (linear().fit(c * X).score(c * X) for c in (1, 1024))
    assert one - thousandfold == pytest.approx(np.log(1024), rel=1e-6)


def test_density_of_counts_and_ordered_levels_is_a_probability(every_kind):
    table = every_kind[["visits", "grade"]]
    imputer = linear().fit(table)
    every = pd.DataFrame({"visits": np.arange(200.0)})
    every["grade"] = pd.Categorical([None] * 200, dtype=table["grade"].dtype)
    assert np.exp(imputer.score_samples(every)).sum() == pytest.approx(1, abs=0.01)
    grades = table["grade"].cat.categories
    every = pd.DataFrame({"visits": [np.nan] * 3})
    every["grade"] = pd.Categorical(grades, dtype=table["grade"].dtype)
    # Estimated by importance weights: a probability is no Gaussian density.
    assert np.exp(imputer.score_samples(every)).sum() == pytest.approx(1, abs=0.05)


def test_density_of_skewed_numbers_integrates_to_one(rng):
    table = pd.DataFrame({"a": np.exp(rng.normal(size=300))})
    imputer = linear().fit(table)
    at = np.linspace(1e-4, 200, 20_001)
    density = np.exp(imputer.score_samples(pd.DataFrame({"a": at})))
    assert np.sum(density) * (at[1] - at[0]) == pytest.approx(1, abs=0.02)


def test_rows_are_drawn_in_the_domain_of_each_kind(every_kind):
    drawn = linear().fit(every_kind).sample(300, random_state=0)
    pd.testing.assert_series_equal(drawn.dtypes, every_kind.dtypes)
    assert (drawn["income"] >= 0).all()
    assert drawn["share"].between(0, 1).all()
    assert (drawn["visits"] == drawn["visits"].round()).all()
    shares = drawn["grade"].value_counts(normalize=True)
    expected = every_kind["grade"].value_counts(normalize=True)
    np.testing.assert_allclose(shares[expected.index], expected, atol=0.12)


# Whole numbers.


def test_discrete_features_are_filled_with_whole_numbers(rng, size):
    rooms = np.rint(5 + 2 * size)
    table = holed(pd.DataFrame({"rooms": rooms, "area": size}), rng)
    mean = linear().fit_transform(table)
    whole = linear(discrete_features=["rooms"]).fit_transform(table)
    assert (mean["rooms"] % 1 != 0).any()
    assert (whole["rooms"] % 1 == 0).all()
    np.testing.assert_array_equal(whole["rooms"], mean["rooms"].round())


# Time zones.


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris", "America/Sao_Paulo"])
@pytest.mark.parametrize("resolution", ["s", "ms", "us", "ns"])
def test_dates_keep_zone_resolution_and_unit(rng, size, zone, resolution):
    days = pd.Timestamp("2018-10-01") + pd.to_timedelta(np.rint(90 * size), unit="D")
    when = pd.Series(days).dt.tz_localize(zone, nonexistent="shift_forward")
    noon = when.dt.normalize() + pd.Timedelta("12h")
    table = pd.DataFrame({"when": noon.dt.as_unit(resolution), "size": size})
    table.loc[rng.random(N_ROWS) < 0.3, "when"] = pd.NaT
    imputer = linear(min_value={"when": "2018-01-01"}).fit(table)
    filled = imputer.transform(table)
    assert filled["when"].dtype == table["when"].dtype
    assert (filled["when"].dt.minute == 0).all()
    assert filled["when"].min() >= pd.Timestamp("2018-01-01", tz=zone)
    assert filled["when"].where(table["when"].notna()).equals(table["when"])
    hidden = table["when"].isna()
    assert np.corrcoef(filled["when"][hidden].astype("int64"), size[hidden])[0, 1] > 0.9


@pytest.mark.parametrize(
    ("cells", "hint"),
    [
        (pd.period_range("2020-01", periods=30, freq="M"), "to_timestamp"),
        ([datetime.time(h % 24) for h in range(30)], "time"),
        ([datetime.date(2020, 1, 1 + d % 28) for d in range(30)], "to_datetime"),
    ],
)
def test_other_times_are_refused_with_a_way_out(cells, hint):
    with pytest.raises((TypeError, ValueError), match=f"Column 'when': .*{hint}"):
        linear().fit(pd.DataFrame({"when": cells, "x": np.arange(30.0)}))


# Free text.


@pytest.fixture
def with_names(rng, size):
    names = [f"Person number {i} of the table" for i in range(N_ROWS)]
    table = pd.DataFrame(
        {"name": names, "a": size, "b": size + rng.normal(size=N_ROWS)}
    )
    return holed(table, rng)


def test_free_text_is_refused_by_name(with_names):
    with pytest.raises(ValueError, match=r"Column 'name': .*text_features"):
        linear().fit(with_names)


def test_free_text_is_passed_through(with_names):
    imputer = linear(text_features="passthrough").fit(with_names)
    filled = imputer.transform(with_names)
    pd.testing.assert_series_equal(filled["name"], with_names["name"])
    assert filled[["a", "b"]].notna().all(axis=None)
    assert list(imputer.likelihoods_) == ["a", "b"]
    assert imputer.sample(3)["name"].isna().all()
    # What stands in it changes nothing.
    without = linear().fit_transform(with_names[["a", "b"]])
    pd.testing.assert_frame_equal(filled[["a", "b"]], without)


def test_many_levels_are_no_free_text(rng):
    codes = np.array([f"V{code}" for code in rng.zipf(1.3, size=2_000) % 800])
    table = pd.DataFrame({"code": codes, "x": rng.normal(size=2_000)})
    table.loc[::7, "code"] = None
    filled = linear().fit_transform(table)
    assert set(filled["code"]) <= set(codes)


# Copies.


@pytest.mark.parametrize("networks", [(), (8,)])
def test_copies_and_multiples_are_exact(rng, size, networks):
    base = size + 0.1 * rng.normal(size=N_ROWS)
    truth = pd.DataFrame(
        {
            "a": size,
            "celsius": base,
            "fahrenheit": 32 + 1.8 * base,
            "again": base,
            "visits": np.rint(10 + 3 * size),
            "cost": 250 * np.rint(10 + 3 * size),
        }
    )
    table = holed(truth, rng, 0.3)
    imputer = linear(hidden_layer_sizes=networks, max_iter=2).fit(table)
    filled = imputer.transform(table)

    assert [*imputer.likelihoods_.values()].count("copy") == 3
    same = ["celsius", "fahrenheit", "again"]
    known = table[same].notna().any(axis=1)
    error = (filled - truth).abs() / truth.std()
    assert error.loc[known, same].max(axis=None) < 1e-9
    known = table[["visits", "cost"]].notna().any(axis=1)
    assert error.loc[known, ["visits", "cost"]].max(axis=None) < 1e-9
    # Where none is known, they are guessed, and agree all the same.
    np.testing.assert_allclose(filled["fahrenheit"], 32 + 1.8 * filled["celsius"])
    np.testing.assert_allclose(
        imputer.sample(5)["cost"] / 250,
        imputer.sample(5, random_state=0)["visits"],
        atol=99,
    )


def test_drawn_copies_agree(rng, size):
    table = pd.DataFrame({"a": size, "b": 2 * size + 1})
    drawn = linear().fit(table).sample(5, random_state=0)
    np.testing.assert_allclose(drawn["b"], 2 * drawn["a"] + 1)


def test_a_named_likelihood_makes_no_copy(rng, size):
    table = pd.DataFrame({"a": size, "b": 2 * size})
    imputer = linear(likelihoods={"b": "normal"}).fit(table)
    assert imputer.likelihoods_ == {"a": "normal", "b": "normal"}


# Cells to leave.


def test_cells_to_leave_stay_missing(every_kind, rng):
    table = holed(every_kind, rng)
    leave = pd.DataFrame({"income": table["height"] < 0}, index=table.index)
    left, filled = linear(leave_missing=leave), linear()
    out = left.fit_transform(table)
    full = filled.fit_transform(table)
    empty = out.isna()
    expected = table.isna() & leave.reindex(columns=table.columns, fill_value=False)
    pd.testing.assert_frame_equal(empty, expected)
    pd.testing.assert_frame_equal(out.mask(expected), full.mask(expected))
    assert expected.any(axis=None)


def test_cells_to_leave_by_a_function_and_in_an_array(rng):
    X = rng.normal(size=(60, 3))
    X[rng.random(X.shape) < 0.3] = np.nan
    out = linear(
        leave_missing=lambda X: np.isnan(X) & (np.arange(3) == 1)
    ).fit_transform(X)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(X) & (np.arange(3) == 1))


@pytest.mark.parametrize(
    "leave",
    [
        np.zeros((3, 3), bool),
        np.zeros((60, 3)),
        pd.DataFrame({"salary": np.zeros(60, bool)}),
        lambda X: None,
    ],
)
def test_unfit_cells_to_leave_are_named(rng, leave):
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    imputer = linear(leave_missing=leave).fit(table)
    with pytest.raises(ValueError, match=r"leave_missing: got"):
        imputer.transform(table)


# polars.


@pytest.fixture
def in_polars(every_kind, rng):
    table = holed(every_kind.drop(columns="grade"), rng)
    frame = pl.from_pandas(table)
    return frame.with_columns(
        grade=pl.Series(every_kind["grade"].astype(str).to_list()).cast(
            pl.Enum(["low", "mid", "high"])
        ),
        day=pl.col("born").dt.date(),
        count=pl.Series(np.arange(N_ROWS) % 7, dtype=pl.Int16),
    )


def test_polars_in_polars_out(in_polars):
    imputer = linear().fit(in_polars)
    filled = imputer.transform(in_polars)
    assert isinstance(filled, pl.DataFrame)
    assert filled.schema == in_polars.schema
    assert filled.null_count().sum_horizontal()[0] == 0
    for name in in_polars.columns:
        known = in_polars[name].is_not_null()
        assert filled[name].filter(known).equals(in_polars[name].filter(known))
    drawn = imputer.sample(3)
    assert isinstance(drawn, pl.DataFrame)
    assert drawn.schema == in_polars.schema


def test_polars_and_pandas_give_the_same_answers(every_kind, rng):
    table = holed(every_kind[["height", "income", "visits", "city"]], rng)
    in_pandas = linear().fit_transform(table)
    in_polars = linear().fit_transform(pl.from_pandas(table)).to_pandas()
    pd.testing.assert_frame_equal(
        in_polars[["height", "income", "visits"]],
        in_pandas[["height", "income", "visits"]].reset_index(drop=True),
    )
    assert in_polars["city"].astype(str).tolist() == in_pandas["city"].tolist()


@pytest.mark.parametrize("given", ["numpy", "pandas", "polars"])
@pytest.mark.parametrize("asked", ["default", "pandas", "polars"])
def test_output_container(every_kind, rng, given, asked):
    table = holed(every_kind[["height", "income"]], rng)
    X = {"numpy": table.to_numpy(), "pandas": table, "polars": pl.from_pandas(table)}
    out = linear().set_output(transform=asked).fit_transform(X[given])
    expected = given if asked == "default" else asked
    kinds = {"numpy": np.ndarray, "pandas": pd.DataFrame, "polars": pl.DataFrame}
    assert isinstance(out, kinds[expected])
    names = ["x0", "x1"] if given == "numpy" else ["height", "income"]
    if expected != "numpy":
        assert list(out.columns) == names


def test_polars_with_indicators_and_empty_columns(in_polars):
    table = in_polars.select("height", "income").with_columns(
        nothing=pl.lit(None, dtype=pl.Float64)
    )
    with pytest.warns(UserWarning, match="Skipping features"):
        filled = linear(add_indicator=True).fit_transform(table)
    assert filled.columns == [
        "height",
        "income",
        "missingindicator_height",
        "missingindicator_income",
        "missingindicator_nothing",
    ]
    assert filled.null_count().sum_horizontal()[0] == 0


# Scores of hidden cells.


def test_polars_tables_are_scored_like_those_of_pandas():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    table["d"] = rng.choice(["x", "y"], size=60)
    scores = []
    for X in (table, pl.from_pandas(table)):
        scorers = [hidden_cell_score(metric=metric) for metric in ("mae", "accuracy")]
        scores.append([scorer(linear().fit(X), X) for scorer in scorers])
    np.testing.assert_allclose(*scores)
    in_polars = linear().set_output(transform="polars").fit(table)
    assert hidden_cell_score(metric="mae")(in_polars, table) == scores[0][0]


def test_free_text_is_not_scored():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])
    table["note"] = [f"a long remark, the {i}th of all" for i in range(60)]
    imputer = linear(text_features="passthrough").fit(table)
    with pytest.raises(ValueError, match="expected a table with nominal columns"):
        hidden_cell_score(metric="accuracy")(imputer, table)
    assert hidden_cell_score(metric="nrmse")(imputer, table) < 0
