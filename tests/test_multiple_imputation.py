"""`impute_multiple`: draws of what the observed cells, and the rows, leave open."""

import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vaeimpute import VAEImputer

NORMAL = dict.fromkeys(range(3), "normal")
LINEAR = VAEImputer(hidden_layer_sizes=(), likelihoods=NORMAL, random_state=0)
SMALL = VAEImputer(
    2,
    hidden_layer_sizes=(16,),
    max_iter=40,
    batch_size=32,
    early_stopping=False,
    random_state=0,
)


def linear_table(seed, n_rows=100):
    """Return three columns that depend on one another, complete."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_rows)
    y = 0.8 * x + 0.6 * rng.normal(size=n_rows)
    z = 0.5 * x - 0.5 * y + 0.7 * rng.normal(size=n_rows)
    return np.column_stack([x, y, z])


@pytest.fixture(scope="module")
def numbers():
    """200 rows, in every second of which y, or y and z, are missing."""
    X = linear_table(7, 200)
    X[::2, 1] = np.nan
    X[::4, 2] = np.nan
    return X


@pytest.fixture(scope="module", params=["linear", "networks"])
def fitted(request, numbers):
    imputer = LINEAR if request.param == "linear" else SMALL
    return VAEImputer(**imputer.get_params()).fit(numbers)


def analytic_variance(X, missing):
    """Return the variance of a column's mean over draws from its exact posterior.

    Of a regression of column 1 on the others, all but it observed, under Jeffreys'
    prior: variance of the predicted mean plus that of the cells' own noise.
    """
    design = np.column_stack([np.ones(len(X)), X[:, [0, 2]]])
    seen, y = design[~missing], X[~missing, 1]
    residual = y - seen @ np.linalg.lstsq(seen, y, rcond=None)[0]
    dof = len(y) - 3
    variance = residual @ residual / (dof - 2)
    middle = design[missing].mean(axis=0)
    share = missing.mean()
    leverage = middle @ np.linalg.solve(seen.T @ seen, middle)
    return variance * (share**2 * leverage + share / len(X))


@pytest.mark.slow
def test_variance_between_imputations_is_that_of_the_exact_posterior():
    ratios, missing = [], np.arange(100) < 30
    for seed in range(6):
        X = linear_table(seed)
        holed = X.copy()
        holed[missing, 1] = np.nan
        tables = LINEAR.fit(holed).impute_multiple(holed, 300, random_state=1)
        between = np.var([table[:, 1].mean() for table in tables], ddof=1)
        ratios.append(between / analytic_variance(X, missing))
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.1)


def test_draws_scatter_around_the_guesses(fitted, numbers):
    tables = np.array(fitted.impute_multiple(numbers, 200, random_state=0))
    missing = np.isnan(numbers)
    gap = tables.mean(axis=0) - fitted.transform(numbers)
    error = tables.std(axis=0)[missing] / np.sqrt(200)
    assert np.sqrt(np.mean((gap[missing] / error) ** 2)) < 1.5
    assert tables.std(axis=0)[missing].min() > 0.3


def test_cells_that_are_missing_together_are_drawn_together():
    X = linear_table(3, 2_000)
    X[:500, 1:] = np.nan
    tables = LINEAR.fit(X).impute_multiple(X, 20, random_state=0)
    drawn = np.concatenate([table[:500] for table in tables])
    # What is left of y and z given x: z = -y/2 + ..., so that both move apart.
    y, z = drawn[:, 1] - 0.8 * drawn[:, 0], drawn[:, 2] - 0.1 * drawn[:, 0]
    known = np.array([[0.36, -0.18], [-0.18, 0.49 + 0.09]])
    np.testing.assert_allclose(np.cov(y, z), known, atol=0.04)


def test_draws_go_with_the_rows(fitted, numbers):
    whole = fitted.impute_multiple(numbers, 3, random_state=5)
    order = np.random.default_rng(0).permutation(len(numbers))
    for rows in (order, order[:7], slice(10, 90)):
        some = fitted.impute_multiple(numbers[rows], 3, random_state=5)
        for one, another in zip(some, whole, strict=True):
            np.testing.assert_array_equal(one, another[rows])


def test_equal_rows_are_drawn_apart(fitted):
    X = np.tile([0.3, np.nan, np.nan], (50, 1))
    (table,) = fitted.impute_multiple(X, 1, random_state=0)
    assert len(np.unique(table[:, 1])) == 50
    assert abs(np.corrcoef(table[:25, 1], table[25:, 1])[0, 1]) < 0.6


def test_seed_decides(fitted, numbers):
    first, again, other = (
        fitted.impute_multiple(numbers, 2, random_state=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    missing = np.isnan(numbers)
    assert np.all(first[0][missing] != other[0][missing])
    assert np.all(first[0][missing] != first[1][missing])


def test_observed_cells_and_estimator_stay(fitted, numbers):
    before = pickle.dumps(fitted)
    for table in fitted.impute_multiple(numbers, 2):
        observed = ~np.isnan(numbers)
        np.testing.assert_array_equal(table[observed], numbers[observed])
        assert np.isfinite(table).all()
    assert pickle.dumps(fitted) == before


def test_tables_without_gaps_come_back(fitted):
    X = linear_table(9, 20)
    for table in fitted.impute_multiple(X, 3):
        np.testing.assert_array_equal(table, X)


def test_mixed_tables_keep_their_dtypes_and_bounds(mixed_table):
    imputer = VAEImputer(
        2, hidden_layer_sizes=(8,), max_iter=2, min_value={"weight": 60.0}
    )
    imputer.set_params(random_state=0).fit(mixed_table)
    tables = imputer.impute_multiple(mixed_table, 30, random_state=0)
    for table in tables:
        assert table.isna().sum().sum() == 0
        assert table.index.equals(mixed_table.index)
        pd.testing.assert_series_equal(table.dtypes, mixed_table.dtypes)
        observed = mixed_table.notna()
        assert (table[observed].isna() | (table == mixed_table)).all().all()
        low = table["weight"][mixed_table["weight"].isna()]
        assert (low >= 60.0).all()
    # Levels are drawn by their probabilities, not always the likeliest.
    missing = mixed_table["job"].isna().to_numpy()
    drawn = np.array([table["job"].to_numpy()[missing] for table in tables])
    share = np.mean(drawn == "baker", axis=0).mean()
    p = imputer.predict_proba(mixed_table)["job"]["baker"].to_numpy()[missing].mean()
    assert share == pytest.approx(p, abs=0.12)
    assert all(len(set(cell)) > 1 for cell in drawn.T)


def test_sample_posterior_makes_transform_a_draw(numbers):
    imputer = VAEImputer(**LINEAR.get_params()).set_params(sample_posterior=True)
    table = imputer.fit_transform(numbers)
    np.testing.assert_array_equal(imputer.transform(numbers), table)
    np.testing.assert_array_equal(imputer.fit(numbers).transform(numbers), table)
    means = LINEAR.fit(numbers).transform(numbers)
    missing = np.isnan(numbers)
    residual = (table - means)[missing]
    assert 0.3 < residual.std() < 1.2
    other = imputer.set_params(random_state=1).fit_transform(numbers)
    assert np.all(other[missing] != table[missing])


def test_indicators_are_appended_to_every_table(numbers):
    imputer = VAEImputer(**LINEAR.get_params()).set_params(add_indicator=True)
    for table in imputer.fit(numbers).impute_multiple(numbers, 2):
        assert table.shape == (200, 5)


@pytest.mark.parametrize("count", [0, -1, 2.0, True, "5"])
def test_bad_number_of_imputations(fitted, numbers, count):
    with pytest.raises(ValueError, match=f"n_imputations: got {count!r}, expected"):
        fitted.impute_multiple(numbers, count)


def test_user_guide_finds_what_rows_without_gaps_miss():
    page = Path(__file__).parents[1] / "docs" / "uncertainty.md"
    names = {"print": lambda *_: None}
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.S):
        exec(compile(block, page.name, "exec"), names)
    truth = np.array([6.0, -0.02, -0.8])
    low, high = names["pooled"].interval()
    assert np.all((low < truth) & (truth < high))
    assert np.all(high - low < [0.5, 0.01, 0.4])
    off = np.abs(names["complete"] - truth) / names["deviations"]
    assert np.all(off[:2] > 2.5)
    # Given the kilometres, too, what is left of the litres scatters by 0.2.
    spread, width = names["spread"], names["width"]
    assert spread[spread > 0].mean() == pytest.approx(0.2, rel=0.25)
    assert width[width > 0].mean() == pytest.approx(2 * 1.645 * 0.2, rel=0.25)
