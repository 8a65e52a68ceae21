"""How unusual rows and cells are: `cell_scores`, errors and latents of a model."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import kstest, norm
from sklearn.exceptions import NotFittedError

from vaeimpute import VAEImputer
from vaeimpute.datasets import load_penguins

LINEAR = {"n_components": 2, "hidden_layer_sizes": (), "random_state": 0}
NETWORKS = {
    "n_components": 2,
    "hidden_layer_sizes": (8,),
    "n_networks": 2,
    "max_iter": 3,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def numbers():
    """200 rows of four numbers in different units, a fifth missing; row 3 is empty."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 4))
    scores += 0.5 * rng.normal(size=scores.shape)
    table = pd.DataFrame([5, 0, -30, 1] + scores * [1, 10, 3, 0.1], columns=[*"abcd"])
    table = table.mask(rng.random(table.shape) < 0.2)
    table.loc[3] = np.nan
    return table


@pytest.fixture(scope="module")
def linear(numbers):
    return VAEImputer(**LINEAR).fit(numbers)


@pytest.fixture(scope="module")
def table():
    """150 rows of every kind of column, a tenth missing; all follow `size`."""
    rng = np.random.default_rng(1)
    size = rng.normal(size=150)
    levels = np.digitize(size + 0.5 * rng.normal(size=150), [-0.5, 0.5])
    days = pd.Timestamp("2020-03-01") + pd.to_timedelta(np.rint(20 * size), unit="D")
    table = pd.DataFrame(
        {
            "height": 20 + 5 * size + rng.normal(size=150),
            "inches": np.nan,
            "visits": pd.array(rng.poisson(np.exp(size)), dtype="Int64"),
            "member": pd.array(size > 0, dtype="boolean"),
            "town": pd.Categorical.from_codes(levels, ["Bergen", "Oslo", "Voss", "?"]),
            "grade": pd.Categorical.from_codes(levels, ["E", "D", "C", "B"], True),
            "since": days,
            "note": [
                f"a remark that nobody else makes, number {i}" for i in range(150)
            ],
            "empty": pd.Categorical([None] * 150, categories=["u", "v"]),
        },
        index=pd.RangeIndex(100, 250, name="person"),
    )
    table["inches"] = table["height"] / 2.54
    hidden = rng.random(table.shape) < 0.1
    hidden[:, table.columns == "note"] = False
    return table.mask(hidden)


OUTSIDE = ["inches", "note", "empty"]  # a copy, free text, nothing


@pytest.fixture(scope="module")
def mixed(table):
    return VAEImputer(
        **NETWORKS, text_features="passthrough", keep_empty_features=True
    ).fit(table)


def gaussian(imputer):
    """Return mean, loadings and noise variances of the factor analysis.

    Those of standardised numbers.
    """
    weights = {name: w.astype(float) for name, w in imputer._model.weights.items()}
    noise = np.exp(weights["core.log_noise"])
    return weights["core.mean"], weights["core.loadings"], noise


def standardised(imputer, table):
    columns = imputer._encoding.numbers
    return (table.to_numpy() - [x.centre for x in columns]) / [x.scale for x in columns]


def latent_means(imputer, scores):
    """Return E[z | observed scores], row by row."""
    mean, loadings, noise = gaussian(imputer)
    latents = []
    for row in scores:
        known = ~np.isnan(row)
        scaled = loadings[known].T / noise[known]
        precision = np.eye(loadings.shape[1]) + scaled @ loadings[known]
        latents.append(np.linalg.solve(precision, scaled @ (row - mean)[known]))
    return np.array(latents)


def hide(table, *names):
    return table.mask(np.tile(table.columns.isin(names), (len(table), 1)))


# With the linear core alone all is Gaussian.


def test_scores_of_numbers_are_two_sided_normal_probabilities(linear, numbers):
    mean, loadings, noise = gaussian(linear)
    covariance = loadings @ loadings.T + np.diag(noise)
    scores = standardised(linear, numbers)
    expected = np.full(scores.shape, np.nan)
    for i, j in np.argwhere(~np.isnan(scores)):
        rest = ~np.isnan(scores[i])
        rest[j] = False
        gain = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, j])
        centre = mean[j] + gain @ (scores[i] - mean)[rest]
        spread = np.sqrt(covariance[j, j] - gain @ covariance[rest, j])
        p = 2 * norm.sf(abs(scores[i, j] - centre) / spread)
        expected[i, j] = -np.log(p)
    found = linear.cell_scores(numbers)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_probabilities_are_uniform_under_the_model(linear):
    drawn = linear.sample(3_000, random_state=0)
    p = np.exp(-linear.cell_scores(drawn))
    for name in p:
        assert kstest(p[name], "uniform").pvalue > 1e-3


def test_deviation_is_the_length_of_the_latents_mean(linear, numbers):
    latents = latent_means(linear, standardised(linear, numbers))
    expected = np.linalg.norm(latents, axis=1)
    found = linear.latent_deviation(numbers)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert found[3] == 0.0


def test_deviation_of_rows_from_the_prior_is_about_the_root_of_the_latents():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(300, 4))
    X = latents @ rng.normal(size=(4, 40)) + 0.3 * rng.normal(size=(300, 40))
    imputer = VAEImputer(**LINEAR | {"n_components": 4}).fit(X)
    deviation = imputer.latent_deviation(X)
    assert np.mean(deviation**2) == pytest.approx(4, rel=0.1)
    far = imputer.latent_deviation(X.mean(axis=0) + 5 * (X - X.mean(axis=0)))
    np.testing.assert_allclose(far, 5 * deviation, rtol=0.2)


def test_error_of_numbers_is_their_mean_square_in_standard_deviations(linear, numbers):
    mean, loadings, _ = gaussian(linear)
    scores = standardised(linear, numbers)
    latents = latent_means(linear, scores)
    squares = (scores - mean - latents @ loadings.T) ** 2
    known = np.arange(200) != 3
    found = linear.reconstruction_error(numbers)
    np.testing.assert_allclose(
        found[known], np.nanmean(squares[known], axis=1), rtol=1e-3, atol=1e-6
    )
    assert np.isnan(found[3])


def test_error_of_levels_is_briers(mixed, table):
    levels = table[["town", "member"]].dropna().index
    rows = hide(table.loc[levels], "height", "inches", "visits", "since", "grade")
    encoded = mixed._encoding.encode(mixed._read(rows))
    filling = mixed._model.decode(mixed._model.latents(encoded))
    p = np.exp(filling.log_levels)  # False, True, Bergen, Oslo, Voss, ?
    indicators = pd.get_dummies(rows[["member", "town"]]).reindex(
        columns=[
            *("member_False", "member_True", "town_Bergen", "town_Oslo"),
            *("town_Voss", "town_?"),
        ],
        fill_value=False,
    )
    indicators["member_True"] = rows["member"]
    indicators["member_False"] = ~rows["member"]
    expected = np.sum((indicators.to_numpy(float) - p) ** 2, axis=1) / 2
    np.testing.assert_allclose(mixed.reconstruction_error(rows), expected, rtol=1e-6)


# Networks and columns of all kinds.


def test_scores_have_the_shape_and_gaps_of_the_table(mixed, table):
    scores = mixed.cell_scores(table)
    assert scores.index.equals(table.index)
    assert scores.columns.equals(table.columns)
    assert scores[OUTSIDE].isna().all(axis=None)
    inside = table.columns.difference(OUTSIDE)
    pd.testing.assert_frame_equal(scores[inside].isna(), table[inside].isna())
    assert (scores[inside].min() >= 0).all()
    assert np.isfinite(scores[inside].max()).all()


@pytest.mark.parametrize("name", ["height", "since"])
def test_what_is_to_be_expected_of_a_number_scores_nothing(mixed, table, name):
    numbers = table.assign(since=(table["since"] - pd.Timestamp("2020")).dt.days)
    imputer = VAEImputer(
        **NETWORKS, text_features="passthrough", keep_empty_features=True
    ).fit(numbers.drop(columns="inches"))
    rows = hide(numbers.drop(columns="inches"), name)
    filled = rows.assign(**{name: imputer.transform(rows)[name]})
    assert imputer.likelihoods_[name] == "normal"
    np.testing.assert_allclose(imputer.cell_scores(filled)[name], 0.0, atol=1e-6)


@pytest.mark.parametrize("name", ["member", "town"])
def test_scores_of_levels_are_probabilities_of_levels_no_likelier(mixed, table, name):
    rows = table[table[name].notna()]
    p = mixed.predict_proba(hide(rows, name))[name]
    own = np.array([p.loc[row, level] for row, level in rows[name].items()])
    expected = p.where(p.le(own + 1e-12, axis=0), 0.0).sum(axis=1)
    found = np.exp(-mixed.cell_scores(rows)[name])
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    likeliest = own == p.max(axis=1)
    np.testing.assert_allclose(found[likeliest], 1.0)
    assert 0 < np.sum(~likeliest) < len(rows)


def test_scores_of_ordered_levels_are_two_sided(mixed, table):
    assert mixed.likelihoods_["grade"] == "ordinal"
    rows = table[table["grade"].notna()]
    p = mixed.predict_proba(hide(rows, "grade"))["grade"].to_numpy()
    at = np.arange(len(rows)), rows["grade"].cat.codes.to_numpy()
    below = np.cumsum(p, axis=1)[at]
    above = np.cumsum(p[:, ::-1], axis=1)[:, ::-1][at]
    expected = np.minimum(2 * np.minimum(below, above), 1.0)
    found = np.exp(-mixed.cell_scores(rows)["grade"])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_scores_of_counts_are_two_sided(mixed, table):
    assert mixed.likelihoods_["visits"] == "count"
    row = table.dropna(subset=["height", "town"]).iloc[[0] * 60]
    row = row.assign(visits=pd.array(range(60), dtype="Int64"))
    p = np.exp(-mixed.cell_scores(row)["visits"].to_numpy())
    middle = np.flatnonzero(p == 1.0)  # where either side has half the probability
    assert len(middle) == 1
    # Others have half of theirs in P(X <= k) below the middle, in P(X >= k) above.
    at_least = np.where(np.arange(60) > middle, p / 2, 1 - np.append(0, p[:-1]) / 2)
    assert (np.diff(at_least) < 0).all()
    filled = mixed.transform(hide(row, "visits"))["visits"].iloc[0]
    assert at_least[1:].sum() == pytest.approx(filled, abs=0.6)  # which is rounded


def test_levels_that_the_fit_has_not_seen_are_infinitely_odd(mixed, table):
    rows = table.iloc[:3].copy()
    rows["town"] = pd.Categorical(["?", "Rome", "Oslo"])  # declared, new, seen
    rows["grade"] = ["B", "F", None]
    rows["empty"] = ["u", "w", None]  # what is odd in a column without cells?
    scores = mixed.cell_scores(rows)
    assert np.isinf(scores["town"]).tolist() == [True, True, False]
    assert np.isinf(scores["grade"]).tolist() == [True, True, False]
    assert scores["empty"].isna().all()


def test_planted_numbers_have_the_highest_scores():
    penguins = load_penguins().dropna(ignore_index=True)
    planted = {
        (7, "body_mass_g"): 38_000,
        (60, "bill_length_mm"): 3.9,
        (130, "flipper_length_mm"): 91,
    }
    for (row, column), value in planted.items():
        penguins.loc[row, column] = value
    scores = VAEImputer(**LINEAR).fit(penguins).cell_scores(penguins)
    assert set(scores.stack().nlargest(3).index) == set(planted)


def test_planted_levels_have_the_highest_scores_of_their_column():
    penguins = load_penguins().dropna(ignore_index=True)
    assert penguins.loc[[20, 200], "species"].tolist() == ["Adelie", "Gentoo"]
    assert penguins.loc[250, "island"] == "Biscoe"
    penguins.loc[[20, 200], "species"] = ["Gentoo", "Adelie"]
    penguins.loc[250, "island"] = "Torgersen"
    scores = VAEImputer(**LINEAR).fit(penguins).cell_scores(penguins)
    assert set(scores["species"].nlargest(2).index) == {20, 200}
    assert scores["island"].idxmax() == 250


def test_answers_do_not_depend_on_the_rows_beside(mixed, table):
    some = [0, 5, 77, 149]
    for ask in (mixed.reconstruction_error, mixed.latent_deviation):
        np.testing.assert_array_equal(ask(table)[some], ask(table.iloc[some]))
    pd.testing.assert_frame_equal(
        mixed.cell_scores(table).iloc[some],
        mixed.cell_scores(table.iloc[some]),
        check_exact=True,
    )


def test_errors_and_deviations_of_every_row(mixed, table):
    error, deviation = mixed.reconstruction_error(table), mixed.latent_deviation(table)
    assert error.shape == deviation.shape == (150,)
    assert (error >= 0).all()
    assert (deviation > 0).all()
    odd = table.iloc[[0]].assign(height=200.0, inches=200 / 2.54)
    assert mixed.reconstruction_error(odd)[0] > 10 * np.nanmax(error)
    nothing = table.iloc[[0]].reset_index(drop=True).reindex([1])
    nothing = nothing.astype(table.dtypes.drop("note").to_dict())
    assert np.isnan(mixed.reconstruction_error(nothing)).all()
    assert (mixed.latent_deviation(nothing) == 0).all()


# Containers and errors.


def test_arrays_and_frames_of_polars_give_arrays(linear, numbers):
    expected = linear.cell_scores(numbers).to_numpy()
    of_polars = VAEImputer(**LINEAR).fit(pl.from_pandas(numbers))
    of_array = VAEImputer(**LINEAR).fit(numbers.to_numpy())
    for imputer, X in [
        (of_polars, pl.from_pandas(numbers)),
        (of_array, numbers.to_numpy()),
    ]:
        scores = imputer.cell_scores(X)
        assert type(scores) is np.ndarray
        np.testing.assert_array_equal(scores, expected)
        np.testing.assert_array_equal(
            imputer.reconstruction_error(X), linear.reconstruction_error(numbers)
        )
        np.testing.assert_array_equal(
            imputer.latent_deviation(X), linear.latent_deviation(numbers)
        )


def test_asking_draws_nothing_and_leaves_the_table(mixed, table):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    copy = table.copy()
    first, second = mixed.cell_scores(table), mixed.cell_scores(table)
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    pd.testing.assert_frame_equal(table, copy)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


METHODS = ["cell_scores", "reconstruction_error", "latent_deviation", "score_samples"]


@pytest.mark.parametrize("method", METHODS)
def test_tables_that_cannot_be_judged(linear, numbers, method):
    ask = getattr(linear, method)
    with pytest.raises(ValueError, match="feature names should match"):
        ask(numbers[["a", "b", "d", "c"]])
    with pytest.raises(ValueError, match="Column 'b': got infinity"):
        ask(numbers.assign(b=np.inf))
    with pytest.raises(ValueError, match=r"Column 'c': got 'much' .*expected num"):
        ask(numbers.assign(c="much"))
    with pytest.raises(NotFittedError):
        getattr(VAEImputer(), method)(numbers)


def test_free_text_is_refused_unless_it_is_passed_through(table):
    with pytest.raises(ValueError, match="Column 'note': got 150 different texts"):
        VAEImputer(**LINEAR).fit(table)
