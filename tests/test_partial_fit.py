"""Learning on from further rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from vaeimpute import VAEImputer
from vaeimpute._factor_analysis import FactorAnalysis, fit_factor_analysis, go_on


def drawn(model, n_rows, seed, missing=0.3):
    """Rows of a factor analysis, and which of their cells are observed."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n_rows, model.rank))
    noise = np.sqrt(model.noise) * rng.standard_normal((n_rows, len(model.mean)))
    values = model.mean + latent @ model.loadings.T + noise
    return values, rng.random(values.shape) >= missing


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(5)
    loadings = rng.normal(size=(6, 2))
    return FactorAnalysis(rng.normal(size=6), loadings, rng.uniform(0.2, 0.6, 6))


def covariance(model):
    return model.loadings @ model.loadings.T + np.diag(model.noise)


def distance(model, other):
    """Kullback-Leibler divergence of one Gaussian from another."""
    precision = np.linalg.inv(covariance(other))
    moved = other.mean - model.mean
    product = precision @ covariance(model)
    _, log_determinant = np.linalg.slogdet(product)
    trace = np.trace(product) - len(moved) - log_determinant
    return 0.5 * (trace + moved @ precision @ moved)


def test_core_comes_near_to_what_all_rows_say_at_once(truth):
    first, second, once = [], [], []
    for seed in range(20):
        values, observed = drawn(truth, 1_000, seed)
        start = fit_factor_analysis(values[:100], observed[:100], 2, max_iter=300)
        count, model = observed[:100].sum(axis=0).astype(float), start
        for k in range(100, 1_000, 300):
            new = values[k : k + 300], observed[k : k + 300]
            model = go_on(model, count, *new, max_iter=100)
            count = count + new[1].sum(axis=0)
        whole = fit_factor_analysis(values, observed, 2, max_iter=300)
        first.append(distance(truth, start))
        second.append(distance(truth, model))
        once.append(distance(truth, whole))
    # Ten times the rows: a tenth of the distance, were nothing of them lost. What the
    # rows before said of the latents is no longer there to be judged anew.
    assert np.median(once) < 0.15 * np.median(first)
    assert np.median(second) < 1.8 * np.median(once)


def test_cells_that_are_not_observed_move_no_core(truth):
    values = np.full((50, 6), 7.0)
    moved = go_on(truth, np.full(6, 1e4), values, np.zeros((50, 6), bool))
    assert distance(truth, moved) < 1e-6
    # Of one value alone: the others stay.
    observed = np.zeros((5_000, 6), bool)
    observed[:, 2] = True
    moved = go_on(truth, np.full(6, 5_000.0), np.full((5_000, 6), 4.0), observed)
    assert moved.mean[2] > truth.mean[2] + 0.5
    np.testing.assert_allclose(np.delete(moved.mean - truth.mean, 2), 0, atol=2e-3)


def bent(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.uniform(-2, 2, n_rows)
    table = pd.DataFrame(
        {
            "size": size,
            "square": size**2 + 0.1 * rng.normal(size=n_rows),
            "wave": np.sin(2 * size) + 0.1 * rng.normal(size=n_rows),
            "sign": np.where(size + 0.2 * rng.normal(size=n_rows) > 0, "plus", "minus"),
        }
    )
    return table, table.mask(rng.random(table.shape) < 0.3)


def error(imputer, table, hidden):
    """Return the mean squared error of the hidden numbers."""
    at = hidden.isna().to_numpy()[:, :3]
    filled = imputer.transform(hidden)
    return float(np.mean((filled.iloc[:, :3] - table.iloc[:, :3]).to_numpy()[at] ** 2))


@pytest.fixture(scope="module")
def started():
    imputer = VAEImputer(max_iter=40, random_state=0)
    return pickle.dumps(imputer.partial_fit(bent(400)[1]))


def test_first_call_is_a_fit(started):
    _, hidden = bent(400)
    fitted = VAEImputer(max_iter=40, random_state=0).fit(hidden)
    pd.testing.assert_frame_equal(
        pickle.loads(started).transform(hidden), fitted.transform(hidden)
    )


def test_networks_learn_on(started):
    imputer, new = pickle.loads(started), bent(2_000, seed=9)
    assert imputer._model.architecture.hidden_layer_sizes
    before = error(imputer, *new)
    n_before = imputer.n_iter_
    for seed in range(1, 7):
        imputer.partial_fit(bent(1_000, seed)[1])
    assert error(imputer, *new) < 0.97 * before
    assert imputer.n_iter_ == n_before + 6 == len(imputer.loss_curve_)
    assert imputer._model.n_rows == 6_400
    lower, upper = imputer.predict_interval(new[1][:50])
    assert np.all(lower["square"] <= upper["square"])


def test_stored_estimators_go_on_alike(started):
    once, stored = pickle.loads(started), pickle.loads(started)
    for seed in (1, 2):
        once.partial_fit(bent(300, seed)[1])
        stored = pickle.loads(pickle.dumps(stored)).partial_fit(bent(300, seed)[1])
    table = bent(100, seed=9)[1]
    pd.testing.assert_frame_equal(once.transform(table), stored.transform(table))


def test_fitting_again_forgets(started):
    _, hidden = bent(400)
    imputer = pickle.loads(started)
    fresh = imputer.transform(hidden)
    imputer.partial_fit(bent(300, 1)[1]).fit(hidden)
    pd.testing.assert_frame_equal(imputer.transform(hidden), fresh)
    assert imputer._model.n_rows == 400


def test_core_alone_learns_on():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(5_000, 2))
    table = factors @ rng.normal(size=(2, 8)) + 0.5 * rng.normal(size=(5_000, 8))
    hidden = np.where(rng.random(table.shape) < 0.3, np.nan, table)
    imputer = VAEImputer(hidden_layer_sizes=(), n_components=2, random_state=0)
    at = np.isnan(hidden[4_000:])

    def excess(imputer):
        return np.mean((imputer.transform(hidden[4_000:]) - table[4_000:])[at] ** 2)

    whole = excess(imputer.fit(hidden[:4_000]))
    first = excess(imputer.fit(hidden[:60]))
    for k in range(60, 4_000, 985):
        imputer.partial_fit(hidden[k : k + 985])
    # Scales stay as the first sixty rows have them; what they cost is little.
    assert first > 1.1 * whole
    assert excess(imputer) < 1.01 * whole


def test_single_rows_are_welcome(started):
    imputer = pickle.loads(started)
    imputer.partial_fit(bent(1, seed=4)[1])
    assert imputer._model.n_rows == 401


def test_levels_that_are_new_count_as_missing(started):
    one, other = pickle.loads(started), pickle.loads(started)
    hidden = bent(300, seed=3)[1]
    one.partial_fit(hidden.assign(sign="nought"))
    other.partial_fit(hidden.assign(sign=pd.Series(pd.NA, hidden.index, "object")))
    table = bent(100, seed=9)[1]
    pd.testing.assert_frame_equal(one.transform(table), other.transform(table))


def test_rows_that_do_not_fit_leave_the_estimator_as_it_was(started):
    imputer, table = pickle.loads(started), bent(100, seed=9)[1]
    before = imputer.transform(table)
    with pytest.raises(ValueError, match="feature names"):
        imputer.partial_fit(bent(50)[1].rename(columns={"wave": "waves"}))
    with pytest.raises(ValueError, match="infin"):
        imputer.partial_fit(bent(50)[1].assign(size=np.inf))
    pd.testing.assert_frame_equal(imputer.transform(table), before)


def test_a_loss_that_diverges_changes_nothing(started, monkeypatch):
    imputer, table = pickle.loads(started), bent(100, seed=9)[1]
    before = imputer.transform(table)
    monkeypatch.setattr("vaeimpute._training._LARGEST_LOSS", -1.0)
    with pytest.warns(ConvergenceWarning, match="no longer finite"):
        imputer.partial_fit(bent(300, seed=1)[1])
    weights = imputer._model.weights
    assert all(np.isfinite(weight).all() for weight in weights.values())
    monkeypatch.undo()
    shown = imputer.transform(table)["wave"] - before["wave"]
    assert np.abs(shown).max() < 0.1  # the core alone has moved


def test_self_masking_needs_all_rows():
    hidden = bent(200)[1]
    imputer = VAEImputer(self_masking=["size"], random_state=0).fit(hidden)
    with pytest.raises(ValueError, match="self_masking: got"):
        imputer.partial_fit(hidden)
