"""`VAEImputer.sample`, `score_samples` and `score`."""

import numpy as np
import pandas as pd
import pytest

from vaeimpute import VAEImputer

TINY = {
    "n_components": 2,
    "hidden_layer_sizes": (8,),
    "max_iter": 2,
    "batch_size": 32,
    "random_state": 0,
}


def tiny(**parameters):
    return VAEImputer(**TINY | parameters)


@pytest.fixture(scope="module")
def numbers():
    """60 rows of three numbers that depend on one another, a fifth missing."""
    rng = np.random.default_rng(0)
    X = 5 + rng.normal(size=(60, 1)) + 0.5 * rng.normal(size=(60, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    return X


def test_drawn_rows_look_like_the_table(mixed_table):
    imputer = tiny().fit(mixed_table)
    drawn = imputer.sample(500, random_state=0)
    assert len(drawn) == 500
    pd.testing.assert_series_equal(drawn.dtypes, mixed_table.dtypes)
    assert not drawn.isna().to_numpy().any()
    assert set(drawn["job"]) == set(mixed_table["job"].dropna())
    shift = drawn["height"].mean() - mixed_table["height"].mean()
    assert abs(shift) < 0.3 * mixed_table["height"].std()


def test_draws_are_repeatable(mixed_table):
    imputer = tiny().fit(mixed_table)
    first = imputer.sample(20, random_state=3)
    pd.testing.assert_frame_equal(imputer.sample(20, random_state=3), first)
    assert not imputer.sample(20, random_state=4).equals(first)
    state = np.random.RandomState(3)
    assert not imputer.sample(5, random_state=state).equals(
        imputer.sample(5, random_state=state)
    )


def test_drawn_array(numbers):
    drawn = tiny().fit(numbers.astype(np.float32)).sample(4)
    assert drawn.shape == (4, 3)
    assert drawn.dtype == np.float32


def test_drawn_cells_of_which_nothing_is_known_are_missing(numbers):
    table = pd.DataFrame({"a": numbers[:, 0], "empty": np.nan, "b": numbers[:, 1]})
    table["level"] = pd.Categorical([None] * 60, categories=["u", "v"])
    drawn = tiny(keep_empty_features=True).fit(table).sample(4)
    pd.testing.assert_series_equal(drawn.dtypes, table.dtypes)
    assert drawn[["empty", "level"]].isna().all(axis=None)
    assert drawn[["a", "b"]].notna().all(axis=None)


def test_score_is_the_mean_density_of_the_observed_cells(mixed_table):
    imputer = tiny().fit(mixed_table)
    score, densities = imputer.score(mixed_table), imputer.score_samples(mixed_table)
    assert type(score) is float
    assert densities.shape == (60,)
    n_observed = mixed_table.notna().to_numpy().sum()
    assert score == pytest.approx(densities.sum() / n_observed, rel=1e-12)
    assert imputer.score(mixed_table, y=np.ones(60)) == score


def test_density_of_nothing_is_one(numbers):
    X = numbers.copy()
    X[3] = np.nan
    densities = tiny().fit(X).score_samples(X)
    assert np.flatnonzero(densities == 0.0).tolist() == [3]


def test_score_is_in_the_units_of_the_table(numbers):
    # A power of two scales exactly, so both models see the same standardised numbers.
    score = tiny().fit(numbers).score(numbers)
    wide = tiny().fit(1024 * numbers).score(1024 * numbers)
    assert wide == pytest.approx(score - np.log(1024), abs=1e-9)


def test_score_of_levels_is_a_log_probability(mixed_table):
    nominal = mixed_table[["member", "region", "job"]]
    imputer = tiny().fit(nominal)
    assert np.all(imputer.score_samples(nominal) <= 0)
    one = nominal.iloc[[0] * 3].astype(object)
    one["member"], one["region"] = None, None
    one["job"] = ["baker", "clerk", "smith"]
    total = np.exp(imputer.score_samples(one)).sum()
    # Each of the three is an estimate by importance weights, of its own draws.
    assert total == pytest.approx(1.0, abs=0.01)
