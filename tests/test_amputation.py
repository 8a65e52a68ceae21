import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

import vaeimpute
from vaeimpute.amputation import ampute, hidden_cells, hide

MECHANISMS = ["mcar", "mar", "mnar", "mnar-above-mean", "mnar-censored", "blocks"]
#: Those that hide cells by what the cells hold.
SELF_MASKING = ["mnar", "mnar-above-mean", "mnar-censored"]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(2500, 1))
    return 10.0 + 3.0 * (common + rng.normal(size=(2500, 10)))


def gappy(X, share=0.2):
    return np.where(np.random.default_rng(1).random(X.shape) < share, np.nan, X)


def mixed(n_rows=500):
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "weight": rng.normal(size=n_rows),
            "count": rng.integers(0, 255, n_rows).astype(np.uint8),
            "member": rng.random(n_rows) < 0.4,
            "city": pd.Categorical(rng.choice(["Oslo", "Rome"], n_rows, p=[0.8, 0.2])),
            "size": pd.Categorical(
                rng.choice(["S", "M", "L"], n_rows), ["S", "M", "L"], ordered=True
            ),
            "name": pd.array(rng.choice(["ann", "bob"], n_rows), dtype="string"),
            "rank": pd.array(rng.integers(0, 9, n_rows), dtype="Int16"),
            "code": rng.choice(np.array(["a", "b"], dtype=object), n_rows),
            "day": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 900, n_rows), unit="D"),
        },
        index=rng.integers(0, 50, n_rows),
    )


# How many cells


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.4321, 0.999])
def test_mcar_hides_the_exact_number_of_observed_cells(X, fraction):
    X = gappy(X)
    hidden = hidden_cells(X, "mcar", fraction, random_state=0)

    assert hidden.sum() == round(fraction * np.count_nonzero(~np.isnan(X)))


def test_mcar_hides_all_observed_cells_equally_often():
    X = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0]])
    rng = np.random.default_rng(0)
    counts = sum(hidden_cells(X, "mcar", 0.4, random_state=rng) for _ in range(1500))

    # 2 of 5 cells; three standard errors of the share are 0.038.
    assert counts[0, 1] == 0
    assert counts[~np.isnan(X)] / 1500 == pytest.approx(0.4, abs=0.04)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.45])
@pytest.mark.parametrize("shape", [(2500, 10), (10, 2500), (40, 600)])
@pytest.mark.parametrize("share_missing", [0.0, 0.2])
def test_realised_share(mechanism, fraction, shape, share_missing):
    X = np.random.default_rng(0).normal(size=shape)
    X = gappy(X, share_missing)
    hidden = hidden_cells(X, mechanism, fraction, random_state=0)

    observed = ~np.isnan(X)
    assert not (hidden & ~observed).any()
    assert hidden.sum() / observed.sum() == pytest.approx(fraction, abs=0.01)


@pytest.mark.parametrize("mechanism", ["mcar", "mnar", "mnar-censored", "blocks"])
@pytest.mark.parametrize("fraction", [0.6, 0.75, 0.9])
def test_realised_share_of_large_fractions(X, mechanism, fraction):
    hidden = hidden_cells(X, mechanism, fraction, random_state=0)

    assert hidden.mean() == pytest.approx(fraction, abs=0.01)


@pytest.mark.parametrize("mechanism", ["mar", *SELF_MASKING])
def test_realised_share_beside_outliers(X, mechanism):
    X[0] = 1e9
    X[:, 1] = 7.0  # nothing to see in it
    fraction = 1e-4 if mechanism == "mnar-above-mean" else 0.3
    hidden = hidden_cells(X, mechanism, fraction, random_state=0)

    assert hidden.mean() == pytest.approx(fraction, abs=0.01)


@pytest.mark.parametrize("mechanism", ["mnar", "mnar-censored"])
def test_each_column_loses_the_same_share(X, mechanism):
    X = gappy(X)
    hidden = hidden_cells(X, mechanism, 0.3, random_state=0)

    expected = 0.3 * np.count_nonzero(~np.isnan(X), axis=0)
    assert np.abs(hidden.sum(axis=0) - expected).max() <= 1


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_fraction_is_that_of_the_listed_columns(X, mechanism):
    hidden = hidden_cells(X, mechanism, 0.3, columns=[7, 2, 4], random_state=0)

    assert set(np.flatnonzero(hidden.any(axis=0))) <= {2, 4, 7}
    assert hidden[:, [2, 4, 7]].mean() == pytest.approx(0.3, abs=0.001)


# Missing at random


def test_mar_drivers_stay_whole_and_others_lose_alike(X):
    X = gappy(X, 0.05)
    hidden = hidden_cells(X, "mar", 0.35, random_state=0)

    observed = ~np.isnan(X)
    share = hidden.sum(axis=0) / observed.sum(axis=0)
    assert np.count_nonzero(share == 0) == 3
    expected = 0.35 * observed.sum() / observed[:, share > 0].sum()
    assert share[share > 0] == pytest.approx(expected, abs=0.001)


def test_mar_depends_on_the_drivers_alone():
    rng = np.random.default_rng(0)
    drivers = rng.normal(size=(20_000, 2))
    own = drivers @ [1.0, 1.0] + rng.normal(size=20_000)
    hidden = hidden_cells(
        np.column_stack([drivers, own]), "mar", 0.4, columns=[2], random_state=0
    )

    # As in the formula, the weights of the drivers give logits of variance 1. The
    # standard error of a coefficient is about 0.02.
    inputs = np.column_stack([drivers, (own - own.mean()) / own.std()])
    fitted = LogisticRegression(C=np.inf, solver="newton-cholesky").fit(
        inputs, hidden[:, 2]
    )
    *weights, of_own_value = fitted.coef_[0]
    assert np.linalg.norm(weights) == pytest.approx(1.0, abs=0.1)
    assert of_own_value == pytest.approx(0.0, abs=0.06)


def test_mar_counts_what_is_missing_in_drivers_as_their_mean():
    rng = np.random.default_rng(0)
    driver = rng.normal(size=20_000)
    X = np.column_stack([np.where(rng.random(20_000) < 0.5, driver, np.nan), driver])
    hidden = hidden_cells(X, "mar", 0.5, columns=[1], random_state=0)

    # A symmetric driver makes half the cells go missing at its mean.
    unknown = np.isnan(X[:, 0])
    assert hidden[unknown, 1].mean() == pytest.approx(0.5, abs=0.02)
    high, low = (hidden[~unknown & is_side, 1] for is_side in (driver > 0, driver < 0))
    assert abs(high.mean() - low.mean()) > 0.25


def test_mar_needs_no_numbers():
    X = mixed(5000)
    hidden = hidden_cells(X, "mar", 0.3, columns=["weight"], random_state=3)[:, 0]
    by_city = hidden_cells(
        X[["city", "weight"]], "mar", 0.3, columns=["weight"], random_state=3
    )[:, 1]

    assert hidden.mean() == pytest.approx(0.3, abs=0.001)
    of_rome, of_oslo = (by_city[X["city"] == city].mean() for city in ("Rome", "Oslo"))
    assert abs(of_rome - of_oslo) > 0.2


def test_mar_constant_columns_do_not_drive():
    X = np.random.default_rng(0).normal(size=(300, 4))
    X[:, :3] = 0.1
    for seed in range(5):
        hidden = hidden_cells(X, "mar", 0.3, random_state=seed)
        assert hidden[:, :3].any(axis=0).all()
        assert not hidden[:, 3].any()


# Missing not at random


def test_mnar_is_logistic_in_the_own_value(X):
    values = np.concatenate([X] * 8)[:, :1]
    hidden = hidden_cells(values, "mnar", 0.3, random_state=0)

    standardised = (values - values.mean()) / values.std()
    fitted = LogisticRegression(C=np.inf, solver="newton-cholesky").fit(
        standardised, hidden[:, 0]
    )
    assert fitted.coef_[0, 0] == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("mechanism", SELF_MASKING)
def test_high_values_go_missing(X, mechanism):
    X = gappy(X)
    hidden = hidden_cells(X, mechanism, 0.3, random_state=0)
    kept = ~np.isnan(X) & ~hidden

    for j in np.flatnonzero(hidden.any(axis=0)):
        assert X[hidden[:, j], j].mean() > X[kept[:, j], j].mean() + 1.0


def test_censored_cells_are_beyond_a_quantile(X):
    X = gappy(np.rint(X))  # with ties
    hidden = hidden_cells(X, "mnar-censored", 0.3, random_state=0)
    kept = ~np.isnan(X) & ~hidden

    highest = np.max(X, axis=0, where=kept, initial=-np.inf)
    assert (np.min(X, axis=0, where=hidden, initial=np.inf) >= highest).all()


def test_above_mean_cells_are_above_the_mean(X):
    X = gappy(X)
    hidden = hidden_cells(X, "mnar-above-mean", 0.3, random_state=0)

    above = np.nanmean(X, axis=0) < X
    n_hidden, n_above = hidden.sum(axis=0), above.sum(axis=0)
    assert not (hidden & ~above).any()
    assert hidden.sum() == round(0.3 * np.count_nonzero(~np.isnan(X)))
    # All such cells of a column, or none: but for the column where the count is full.
    assert np.count_nonzero((n_hidden > 0) & (n_hidden < n_above)) <= 1
    assert np.count_nonzero(n_hidden == n_above) >= 5


def test_no_cell_of_a_constant_is_above_its_mean():
    X = np.column_stack([np.full(10, 0.1), np.arange(10)])
    hidden = hidden_cells(X, "mnar-above-mean", 0.25, random_state=0)

    assert hidden.sum(axis=0).tolist() == [0, 5]


@pytest.mark.parametrize(
    ("cells", "hidden_level"),
    [
        (pd.Series(["b"] * 60 + ["a"] * 40), "a"),
        (pd.Series(["a"] * 60 + ["b"] * 40), "b"),
        (pd.Series(pd.Categorical(["L"] * 60 + ["S"] * 40, ["S", "L"], True)), "L"),
        (pd.Series([True] * 60 + [False] * 40), True),
        (pd.Series(pd.to_datetime(["2021-01-02"] * 60 + ["2021-01-01"] * 40)), "2021"),
    ],
    ids=["rare", "rare whatever its name", "order of levels", "boolean", "dates"],
)
def test_what_counts_as_high(cells, hidden_level):
    X = pd.DataFrame({"x": cells})
    hidden = hidden_cells(X, "mnar-censored", 0.4, random_state=0)[:, 0]

    if hidden_level == "2021":
        assert set(cells[hidden]) == {cells.max()}
    else:
        assert set(cells[hidden]) == {hidden_level}


def test_free_text_counts_as_constant():
    texts = [f"a long text that never recurs, {i}" for i in range(400)]
    X = pd.DataFrame({"text": texts, "x": np.arange(400.0)})

    hidden = hidden_cells(X, "mnar", 0.5, random_state=0)
    assert hidden[:, 0].sum() == 200
    with pytest.raises(ValueError, match="'mar'"):
        hidden_cells(X, "mar", 0.5, columns=["x"])


# Blocks


@pytest.mark.parametrize(("fraction", "n_groups"), [(0.2, 2), (0.5, 2), (2 / 3, 3)])
def test_blocks_are_files_that_share_no_columns(X, fraction, n_groups):
    hidden = hidden_cells(X, "blocks", fraction, random_state=0)

    patterns, counts = np.unique(hidden, axis=0, return_counts=True)
    # But for one row, of which only a part was needed.
    files = patterns[(counts > 1) & patterns.any(axis=1)]
    assert len(files) == n_groups
    assert ((~files).sum(axis=0) == 1).all()  # each column is seen in one file
    sizes = counts[(counts > 1) & patterns.any(axis=1)]
    assert np.ptp(sizes) <= 1
    # A row may be short of an equal share where all of them are in files.
    assert hidden.sum() == pytest.approx(fraction * X.size, abs=X.shape[1])


def test_blocks_leave_the_other_columns_common(X):
    hidden = hidden_cells(X, "blocks", 0.4, columns=[0, 1, 2, 3], random_state=0)

    assert not hidden[:, 4:].any()
    assert not hidden[:, :4].all(axis=1).any()


# Containers


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("make", [pd.DataFrame.copy, pl.from_pandas], ids=["pd", "pl"])
def test_frames_lose_these_cells_and_no_other(mechanism, make):
    X, before = make(mixed()), make(mixed())
    hidden = hidden_cells(X, mechanism, 0.2, random_state=0)
    incomplete = ampute(X, mechanism, 0.2, random_state=0)

    assert type(incomplete) is type(X)
    assert list(incomplete.columns) == list(X.columns)
    assert X.equals(before)
    for j, name in enumerate(X.columns):
        cells, old = incomplete[name], X[name]
        missing = np.asarray(
            cells.is_null() if make is pl.from_pandas else cells.isna()
        )
        assert missing.tolist() == hidden[:, j].tolist()
        shown = ~hidden[:, j]
        kept, kept_before = (list(pd.Series(list(x))[shown]) for x in (cells, old))
        assert kept == kept_before


def test_only_dtypes_of_pandas_that_cannot_be_missing_change():
    X = mixed()
    incomplete = hide(X, np.ones(X.shape, dtype=bool))

    changed = incomplete.dtypes[incomplete.dtypes != X.dtypes].astype(str).to_dict()
    assert changed == {"count": "UInt8", "member": "boolean"}
    assert incomplete.isna().all(axis=None)
    assert incomplete.index.equals(X.index)
    assert (hide(X, np.zeros(X.shape, dtype=bool)).dtypes == X.dtypes).all()


def test_dtypes_of_polars_stay():
    X = pl.from_pandas(mixed()).with_columns(day=pl.col("day").cast(pl.Date))
    incomplete = hide(X, np.ones(X.shape, dtype=bool))

    assert incomplete.schema == X.schema
    assert sum(incomplete.null_count().row(0)) == X.height * X.width


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        *((np.int32, np.float64), (np.uint8, np.float64), (bool, object)),
        *((np.float32, np.float32), (object, object)),
        *(("M8[s]", "M8[s]"), ("m8[ms]", "m8[ms]")),
    ],
)
def test_arrays_have_room_for_what_is_missing(dtype, expected):
    X = np.arange(2000).reshape(500, 4).astype(dtype)
    before = X.copy()
    hidden = hidden_cells(X, random_state=0)
    incomplete = ampute(X, random_state=0)

    assert incomplete.dtype == expected
    assert (pd.isna(incomplete) == hidden).all()
    assert (incomplete[~hidden] == X[~hidden]).all()
    assert (before == X).all()


def test_array_that_loses_nothing_is_a_copy():
    X = np.arange(6).reshape(3, 2)
    same = ampute(X, fraction=0.0)

    assert same.dtype == X.dtype
    assert (same == X).all()
    assert not np.shares_memory(same, X)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_columns_without_any_cell_stay_so(mechanism):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 6)))
    X[2], X[4] = np.nan, None
    hidden = hidden_cells(X, mechanism, 0.2, random_state=1)

    assert hidden.sum() == pytest.approx(0.2 * 800, abs=6)
    assert not hidden[:, [2, 4]].any()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_no_rows(mechanism):
    X = np.empty((0, 3))

    assert hidden_cells(X, mechanism).shape == (0, 3)
    assert ampute(X, mechanism).shape == (0, 3)


# Randomness


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_random_state_decides(X, mechanism):
    def draw(seed):
        return hidden_cells(X, mechanism, 0.3, random_state=seed)

    assert (draw(5) == draw(np.random.default_rng(5))).all()
    rounded = np.rint(X)  # with ties, which are broken at random
    others = [
        hidden_cells(rounded, mechanism, 0.3, random_state=seed) for seed in (5, 6)
    ]
    assert (others[0] != others[1]).any()


# Errors


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1, np.nan, "0.3", None])
def test_fraction_out_of_range(X, fraction):
    with pytest.raises(ValueError, match="fraction: got"):
        hidden_cells(X, fraction=fraction)


def test_unknown_mechanism(X):
    with pytest.raises(
        ValueError, match=r"mechanism: got 'MCAR', expected one of \['b"
    ):
        hidden_cells(X, "MCAR")


@pytest.mark.parametrize("columns", [["a"], [0, 10], [-1], []])
def test_unknown_columns(X, columns):
    with pytest.raises(ValueError, match="columns: got"):
        hidden_cells(X, columns=columns)


def test_columns_are_no_string():
    with pytest.raises(TypeError, match="columns: got 'weight'"):
        hidden_cells(mixed(), columns="weight")


@pytest.mark.parametrize("X", [np.arange(9.0).reshape(9, 1), np.ones((9, 4))])
def test_mar_needs_a_driver(X):
    with pytest.raises(ValueError, match="'mar': got no column"):
        hidden_cells(X, "mar")


def test_mar_cannot_hide_more_than_the_drivers_leave(X):
    with pytest.raises(ValueError, match=r"fraction: got 0.7, expected less than 0.7,"):
        hidden_cells(X, "mar", 0.7)


def test_above_mean_cannot_hide_more_than_is_above():
    X = np.array([[0.0], [0.0], [0.0], [1.0]])
    with pytest.raises(ValueError, match=r"got 0.5, expected at most 0.25"):
        hidden_cells(X, "mnar-above-mean", 0.5)


def test_blocks_need_a_column_for_each_file(X):
    with pytest.raises(ValueError, match=r"fraction: got 0.8, .* takes 5 columns"):
        hidden_cells(X[:, :4], "blocks", 0.8)


def test_infinite_cells(X):
    X[3, 1] = np.inf
    with pytest.raises(ValueError, match="Column 1: got infinity"):
        hidden_cells(X)


@pytest.mark.parametrize("hidden", [np.zeros((2500, 10)), np.zeros((2500, 9), bool)])
def test_hidden_is_a_boolean_array_of_the_shape(X, hidden):
    with pytest.raises(ValueError, match=r"expected bool of shape \(2500, 10\)"):
        hide(X, hidden)


def test_importing_it_imports_no_keras():
    source = "import json, sys, vaeimpute.amputation; print(json.dumps([*sys.modules]))"
    finished = subprocess.run(
        [sys.executable, "-c", source],
        cwd=Path(vaeimpute.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.split(".")[0] for name in json.loads(finished.stdout)}
    assert not {"keras", "tensorflow", "jax", "torch"} & loaded
