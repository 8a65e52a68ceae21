"""Training: what is held out, what is chosen, and when it stops."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from vaeimpute import _training, _validation
from vaeimpute._columns import Column
from vaeimpute._encoding import Encoding, Rows
from vaeimpute._engine import Engine
from vaeimpute._factor_analysis import fit_factor_analysis
from vaeimpute._training import Settings, train
from vaeimpute._validation import Validation, hold_out, hold_out_rows

SETTINGS = Settings(
    n_components=2, hidden_layer_sizes=(8,), max_iter=5, batch_size=32, tol=0.0
)

#: No gain is ever as large: the networks never pay.
NEVER_ENOUGH = 10.0


def encode(values, n_levels=()):
    """Return rows and encoding of values whose last columns are nominal."""
    n_numeric = values.shape[1] - len(n_levels)
    numeric = [Column(f"x{j}", "numeric", "float64") for j in range(n_numeric)]
    nominal = [Column(f"c{n}", "nominal", "str", tuple(range(n))) for n in n_levels]
    encoding = Encoding.fit(values, (*numeric, *nominal))
    return encoding.encode(values), encoding


def make_table(n_rows=90, seed=0):
    """Return rows and encoding of four numeric and two nominal columns."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n_rows, 1))
    numbers = factor + 0.5 * rng.normal(size=(n_rows, 4))
    codes = [factor[:, 0] > 0, np.digitize(rng.normal(size=n_rows), [-0.5, 0.5])]
    values = np.column_stack([numbers, *codes])
    values[rng.random(values.shape) < 0.2] = np.nan
    return encode(values, (2, 3))


@pytest.fixture(scope="module")
def table():
    return make_table()


# Held-out cells.


def everything_held_out(table):
    rows, encoding = table
    nothing = Rows(rows.values, np.zeros_like(rows.observed))
    return Validation(nothing, rows, nothing, encoding)


def score(validation, numbers, log_levels):
    losses = validation.losses(validation.answers(numbers, log_levels))
    return validation.score(losses.sum())


def certain(encoding, rows):
    """Return log-probabilities under which each cell surely holds its level."""
    log_levels = np.full((len(rows.values), 5), -30.0)
    codes = rows.values[:, 4:].astype(int) + np.array([0, 2])
    np.put_along_axis(log_levels, codes, 0.0, axis=1)
    return log_levels


def test_perfect_predictions_explain_everything(table):
    rows, encoding = table
    validation = everything_held_out(table)
    found = score(validation, rows.values[:, :4], certain(encoding, rows))
    assert found == pytest.approx(1.0, abs=1e-6)


def test_means_and_shares_explain_nothing():
    # Uniform numbers: none is so far out that its error would be bounded.
    rng = np.random.default_rng(0)
    numbers, codes = rng.uniform(size=(90, 4)), rng.integers(0, [2, 3], (90, 2))
    rows, encoding = table = encode(np.column_stack([numbers, codes]), (2, 3))
    log_share = np.log(np.concatenate([levels.share for levels in encoding.levels]))
    means = np.zeros((len(rows.values), 4))
    shares = np.tile(log_share, (len(rows.values), 1))
    assert score(everything_held_out(table), means, shares) == pytest.approx(
        0, abs=1e-6
    )


def test_predictions_half_way_explain_three_quarters():
    rows, encoding = encode(np.random.default_rng(0).normal(size=(50, 3)))
    validation = everything_held_out((rows, encoding))
    found = score(validation, 0.5 * rows.values, np.zeros((50, 0)))
    assert found == pytest.approx(0.75, abs=1e-5)


def test_score_counts_an_outlier_as_three_standard_deviations():
    rows, encoding = encode(np.random.default_rng(0).normal(size=(50, 2)))
    validation = everything_held_out((rows, encoding))
    wrong = rows.values.copy()
    wrong[0, 0] += 100.0
    found = score(validation, wrong, np.zeros((50, 0)))
    assert found == pytest.approx(1 - 3.0**2 / 100, abs=1e-5)


def test_score_ignores_cells_that_are_not_held_out(table):
    validation = hold_out(*table, 0.3, np.random.default_rng(0))
    shape = validation.truth.values.shape
    numbers, log_levels = np.zeros((shape[0], 4)), np.full((shape[0], 5), -1.0)
    before = score(validation, numbers, log_levels)

    hidden = validation.truth.observed & ~validation.shown.observed
    numbers[~hidden[:, :4]] = 1e6
    log_levels[~hidden[:, 4], :2] = -1e6
    assert score(validation, numbers, log_levels) == before


def of_everything(validation, numbers):
    return validation.answers(numbers, np.zeros((len(numbers), 0)))


def test_each_column_is_given_to_who_predicts_it_better():
    rng = np.random.default_rng(0)
    rows, encoding = encode(rng.normal(size=(200, 3)))
    validation = everything_held_out((rows, encoding))
    truth, wrong = rows.values, rng.normal(size=(200, 3))
    core = of_everything(validation, np.column_stack([truth[:, 0], wrong[:, 1:]]))
    networks = of_everything(validation, np.column_stack([wrong[:, 0], truth[:, 1:]]))

    share, loss = validation.best_pool(core, networks)

    np.testing.assert_array_equal(share, [0.0, 1.0, 1.0])
    assert loss == 0.0


def test_errors_that_cancel_are_halved_by_pooling():
    rng = np.random.default_rng(0)
    rows, encoding = encode(rng.normal(size=(500, 3)))
    validation = everything_held_out((rows, encoding))
    first, second = rows.values + rng.normal(size=(2, 500, 3))

    share, loss = validation.best_pool(
        of_everything(validation, first), of_everything(validation, second)
    )

    np.testing.assert_array_equal(share, 0.5)
    assert loss == pytest.approx(0.5 * 1_500, rel=0.1)


def test_luck_of_few_cells_gives_no_column_to_the_networks():
    rng = np.random.default_rng(0)
    rows, encoding = encode(rng.normal(size=(12, 30)))
    validation = everything_held_out((rows, encoding))
    core = rows.values + rng.normal(size=rows.values.shape)
    networks = core + 0.3 * rng.normal(size=core.shape)  # worse, but not in each column

    share, _ = validation.best_pool(
        of_everything(validation, core), of_everything(validation, networks)
    )

    gain = (core - rows.values) ** 2 - (networks - rows.values) ** 2
    assert np.mean(gain.mean(axis=0) > 0) > 0.1
    assert np.mean(share) < 0.1


def test_gain_of_all_columns_must_exceed_its_luck():
    """Answers that differ from the core's, and are no better, get a share by luck."""
    rng = np.random.default_rng(0)
    rows, encoding = encode(rng.normal(size=(40, 3)))
    validation = everything_held_out((rows, encoding))
    core = np.zeros((40, 3))
    lucky = 0
    for _ in range(100):
        networks = 0.2 * rng.normal(size=core.shape)
        share, loss = validation.best_pool(
            of_everything(validation, core), of_everything(validation, networks)
        )
        lucky += share.any()
        if not share.any():
            assert loss == pytest.approx(np.sum(rows.values**2), rel=1e-5)
    assert lucky < 25


def test_pool_needs_no_held_out_cell_of_a_column():
    rng = np.random.default_rng(0)
    rows, encoding = encode(rng.normal(size=(50, 2)))
    observed = np.column_stack([np.ones(50, bool), np.zeros(50, bool)])
    nothing = Rows(rows.values, np.zeros_like(observed))
    validation = Validation(nothing, Rows(rows.values, observed), nothing, encoding)
    core = of_everything(validation, np.zeros((50, 2)))
    networks = of_everything(validation, rows.values)

    share, loss = validation.best_pool(core, networks)

    np.testing.assert_array_equal(share, 1.0)
    assert loss == 0.0


def test_held_out_rows_are_rebuilt_from_themselves():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 3))
    values[rng.random(values.shape) < 0.2] = np.nan
    rows, encoding = encode(values)

    validation = hold_out_rows(rows, encoding, 0.1, rng)

    held_out = ~validation.training.observed.any(axis=1) & rows.observed.any(axis=1)
    assert held_out.sum() == len(validation.truth.values) == 30
    np.testing.assert_array_equal(validation.shown.values, rows.values[held_out])
    np.testing.assert_array_equal(validation.shown.observed, rows.observed[held_out])
    kept = ~held_out
    np.testing.assert_array_equal(
        validation.training.observed[kept], rows.observed[kept]
    )
    rebuilt = of_everything(validation, validation.truth.values)
    assert len(rebuilt) == rows.observed[held_out].sum()
    assert validation.losses(rebuilt).sum() == 0


def test_rows_that_a_column_needs_are_not_held_out():
    values = np.random.default_rng(0).normal(size=(40, 2))
    values[4:, 1] = np.nan
    rows, encoding = encode(values)
    for seed in range(10):
        validation = hold_out_rows(rows, encoding, 0.5, np.random.default_rng(seed))
        assert validation.training.observed[:, 1].sum() >= 3


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_held_out_cells_are_a_share_of_the_observed_ones(table, fraction):
    rows, encoding = make_table(1_000)
    validation = hold_out(rows, encoding, fraction, np.random.default_rng(0))

    held_out = rows.observed & ~validation.training.observed
    assert held_out.sum() == pytest.approx(fraction * rows.observed.sum(), rel=0.1)
    assert not np.any(validation.training.observed & ~rows.observed)
    # The rows to judge by hold just these cells.
    chosen = held_out.any(axis=1)
    truth, shown = validation.truth, validation.shown
    np.testing.assert_array_equal(truth.observed, rows.observed[chosen])
    np.testing.assert_array_equal(truth.values, rows.values[chosen])
    np.testing.assert_array_equal(truth.observed & ~shown.observed, held_out[chosen])


def test_every_column_keeps_cells_to_learn_from():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 4))
    values[2:, 1] = values[4:, 2] = np.nan
    rows, encoding = encode(values)
    validation = hold_out(rows, encoding, 0.8, rng)
    kept = validation.training.observed.sum(axis=0)
    assert kept[1] == 2
    assert np.all(kept >= np.minimum(3, rows.observed.sum(axis=0)))
    assert np.any(~validation.training.observed[:, 0])


def test_cells_of_so_many_rows_are_held_out_at_most(table, monkeypatch):
    monkeypatch.setattr(_validation, "_VALIDATION_ROWS", 10)
    validation = hold_out(*table, 0.5, np.random.default_rng(0))
    assert len(validation.truth.values) <= 10


def test_held_out_cells_are_trained_on_only_afterwards(table, monkeypatch):
    trained_on = []
    run = Engine.train

    def spy(self, state, rows, *arguments):
        trained_on.append(np.asarray(rows.observed))
        return run(self, state, rows, *arguments)

    monkeypatch.setattr(Engine, "train", spy)
    train(*table, replace(SETTINGS, validation_fraction=0.1, tol=-1.0), seed=0)

    rows, _ = table
    before, after = trained_on
    assert np.all(rows.observed >= before)
    assert before.sum() < 0.95 * rows.observed.sum()
    np.testing.assert_array_equal(after, rows.observed)


def test_core_is_chosen_without_the_held_out_cells(table):
    rows, encoding = table
    validation = hold_out(rows, encoding, 0.3, np.random.default_rng(0))
    settings = SETTINGS
    held_out = rows.observed & ~validation.training.observed
    values = np.where(held_out, 0.0, rows.values).astype(np.float32)
    blanked = replace(validation, training=Rows(values, validation.training.observed))

    first, second = (
        _training._choose_core(rows, encoding, settings, each, np.random.default_rng(1))
        for each in (validation, blanked)
    )

    np.testing.assert_array_equal(first.chosen.loadings, second.chosen.loadings)


# The core.


def test_few_held_out_cells_are_held_out_more_often(monkeypatch):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(120, 2)) @ rng.normal(size=(2, 9))
    values += 0.3 * rng.normal(size=values.shape)
    rows, encoding = encode(values)

    def chosen_rank(seed):
        generator = np.random.default_rng(seed)
        validation = hold_out(rows, encoding, 0.02, generator)
        core = _training._choose_core(rows, encoding, Settings(), validation, generator)
        return core.chosen.rank

    often = [chosen_rank(seed) for seed in range(20)]
    monkeypatch.setattr(_training, "_MAX_HOLD_OUTS", 1)
    once = [chosen_rank(seed) for seed in range(20)]
    assert often.count(2) >= once.count(2) + 2, (often, once)


def test_larger_rank_is_taken_where_it_is_not_shown_to_lose():
    noise = np.random.default_rng(0).normal(size=200)
    best, hardly_worse = np.ones(200), 1.0 + 0.1 * noise - 0.1 * noise.mean() + 1e-3
    clearly_worse = hardly_worse + 0.1
    choose = _training._largest_of_the_best
    assert choose([4, 8, 16], [best + 1, best, hardly_worse]) == 2
    assert choose([4, 8, 16], [best + 1, best, clearly_worse]) == 1
    assert choose([4, 8, 16], [best, hardly_worse, clearly_worse]) == 1
    assert choose([8, 16, 32], [best + 1, best, hardly_worse]) == 1


def test_rank_follows_the_table():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 9))
    values += 0.3 * rng.normal(size=values.shape)
    values[rng.random(values.shape) < 0.2] = np.nan
    rows, encoding = encode(values)
    settings = Settings()
    validation = hold_out(rows, encoding, 0.1, rng)

    core = _training._choose_core(rows, encoding, settings, validation, rng).chosen

    assert core.rank >= 2
    scores = {}
    for rank in (1, core.rank):
        other = _training._fit_core(validation.training, encoding, rank, settings)
        answers = _training._core_answers(other, encoding, validation, settings)
        scores[rank] = validation.score(validation.losses(answers).sum())
    assert scores[core.rank] > scores[1] + 0.1


def test_core_of_a_long_table_is_fitted_to_a_sample(monkeypatch):
    rows, encoding = make_table(4_000)
    whole = _training._fit_core(rows, encoding, 1, Settings())
    seen = []

    def spy(values, *arguments, **settings):
        seen.append(len(values))
        return fit_factor_analysis(values, *arguments, **settings)

    monkeypatch.setattr(_training, "fit_factor_analysis", spy)
    monkeypatch.setattr(_training, "_CORE_WORK", 1)
    sampled = _training._fit_core(rows, encoding, 1, Settings())

    assert seen[0] < 4_000
    one, other = (core.loadings @ core.loadings.T for core in (whole, sampled))
    np.testing.assert_allclose(one, other, atol=0.1)


def assert_core_of_all_cells(trained, rows, encoding):
    """Assert that no network was kept and that all cells trained the core."""
    assert trained.architecture.hidden_layer_sizes == ()
    rank = trained.architecture.n_latent
    core = _training._fit_core(rows, encoding, rank, Settings())
    expected = _training.core_weights(core, trained.architecture)
    assert trained.weights.keys() == expected.keys()
    # Another start, the same distribution; loadings may be turned.
    one, other = (
        weights["core.loadings"] @ weights["core.loadings"].T
        for weights in (trained.weights, expected)
    )
    np.testing.assert_allclose(one, other, atol=0.03)
    for name in ("core.mean", "core.log_noise"):
        np.testing.assert_allclose(trained.weights[name], expected[name], atol=0.05)


def test_core_is_kept_where_networks_do_not_pay(table):
    settings = replace(SETTINGS, max_iter=200, tol=NEVER_ENOUGH, n_iter_no_change=2)
    seen = []
    trained = train(*table, settings, 0, seen.append)
    assert_core_of_all_cells(trained, *table)
    assert len(trained.validation_scores) == 3
    assert seen[-1].epoch == seen[-1].n_epochs == len(trained.loss_curve)


def test_noise_is_left_to_the_core():
    rng = np.random.default_rng(0)
    rows, encoding = encode(rng.normal(size=(90, 6)))
    trained = train(rows, encoding, replace(SETTINGS, max_iter=60), seed=0)
    scores = trained.validation_scores
    assert abs(scores[0]) < 0.1
    # Networks stay only if they explained more of the held-out cells.
    stayed = trained.architecture.hidden_layer_sizes != ()
    assert stayed == (max(scores) > scores[0])


@pytest.mark.parametrize("early_stopping", [True, False])
def test_no_networks_asked_for(table, early_stopping):
    settings = replace(SETTINGS, hidden_layer_sizes=(), early_stopping=early_stopping)
    trained = train(*table, settings, seed=0)
    assert_core_of_all_cells(trained, *table)
    assert trained.loss_curve == []


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_too_few_cells_to_judge_by(n_rows):
    rows, encoding = encode(np.random.default_rng(0).normal(size=(n_rows, 3)))
    trained = train(rows, encoding, SETTINGS, seed=0)
    assert_core_of_all_cells(trained, rows, encoding)
    assert trained.validation_scores == []


# The networks.


def test_networks_learn_what_no_core_can():
    rng = np.random.default_rng(0)
    number = rng.uniform(-2, 2, size=400)
    bent = np.column_stack([number, number**2, np.abs(number), np.cos(3 * number)])
    bent += 0.05 * rng.normal(size=bent.shape)
    settings = replace(
        SETTINGS,
        n_components=4,
        hidden_layer_sizes=(32,),
        max_iter=400,
        n_iter_no_change=30,
        learning_rate_init=1e-2,
    )
    trained = train(*encode(bent), settings, seed=0)
    scores = trained.validation_scores
    assert max(scores) > scores[0] + 0.1
    assert trained.architecture.hidden_layer_sizes == (32,)
    assert trained.loss_curve[-1] < trained.loss_curve[0] - 0.1


def test_columns_that_tell_each_other_exactly_do_not_diverge():
    # The core knows the latents to a fiftieth; a step of the networks must not
    # move them by many of their standard deviations. It did, to a loss of 1e19.
    rng = np.random.default_rng(0)
    factors = rng.integers(8, size=(2_000, 3))
    levels = rng.integers(4, size=(60, 8))
    values = np.column_stack([levels[j][factors[:, j % 3]] for j in range(60)])
    values = np.where(rng.random(values.shape) < 0.3, np.nan, values)
    settings = Settings(
        n_components=32,
        hidden_layer_sizes=(192, 192),
        n_networks=1,  # as with larger tables, where it was found
        learning_rate_init=1e-3,
        batch_size=256,
        max_iter=8,
        early_stopping=False,
    )
    trained = train(*encode(values, (4,) * 60), settings, seed=0)
    assert trained.loss_curve[-1] < 0.7 * trained.loss_curve[0]


@pytest.mark.parametrize("max_iter", [1, 5])
def test_without_early_stopping_all_epochs_are_trained(table, max_iter):
    settings = replace(SETTINGS, early_stopping=False, max_iter=max_iter)
    trained = train(*table, settings, seed=0)
    assert len(trained.loss_curve) == max_iter
    assert trained.validation_scores == []
    assert trained.architecture.hidden_layer_sizes == (8,)


def test_one_epoch_is_one_epoch(table):
    trained = train(*table, replace(SETTINGS, max_iter=1), seed=0)
    assert len(trained.loss_curve) == 1
    assert len(trained.validation_scores) == 1


@pytest.mark.parametrize("n_components", [1, 2, 12])
def test_number_of_latents_as_asked_for(table, n_components):
    settings = replace(SETTINGS, n_components=n_components, early_stopping=False)
    trained = train(*table, settings, seed=0)
    assert trained.architecture.n_latent == n_components
    assert trained.weights["core.loadings"].shape == (7, n_components)


def test_automatic_number_of_latents_leaves_room_beside_the_core(table):
    settings = replace(SETTINGS, n_components="auto", early_stopping=False)
    trained = train(*table, settings, seed=0)
    assert trained.architecture.n_latent == 16  # for a core of seven values

    rows, encoding = encode(np.random.default_rng(0).normal(size=(90, 20)))
    trained = train(rows, encoding, settings, seed=0)
    assert trained.architecture.n_latent == 32


def test_every_epoch_visits_every_row(table, monkeypatch):
    visited = []
    run = Engine.train

    def spy(self, state, rows, layout, steps, beta):
        visited.append(steps.rows)
        return run(self, state, rows, layout, steps, beta)

    monkeypatch.setattr(Engine, "train", spy)
    train(*table, replace(SETTINGS, early_stopping=False), seed=0)

    by_epoch = np.concatenate(visited).reshape(5, -1)
    for rows in by_epoch:
        times = np.bincount(rows, minlength=90)
        assert times.min() >= 1
        assert times.max() <= 2  # the last batch is filled up


def test_checks_judge_the_averaged_weights(table, monkeypatch):
    averages, judged = [], []
    run, answer = Engine.train, Engine.answer

    def spy_on_train(self, *arguments):
        state, losses = run(self, *arguments)
        averages.append(np.asarray(state.average))
        return state, losses

    def spy_on_answer(self, flat, *arguments):
        judged.append(np.asarray(flat))
        return answer(self, flat, *arguments)

    monkeypatch.setattr(Engine, "train", spy_on_train)
    monkeypatch.setattr(Engine, "answer", spy_on_answer)
    trained = train(*table, replace(SETTINGS, tol=-1.0), seed=0)

    start, first = judged
    np.testing.assert_array_equal(first, averages[0])
    assert np.any(first != start)
    # The weights that come out are averages, too.
    total = sum(
        np.abs(weight.astype(float)).sum() for weight in trained.weights.values()
    )
    assert total == pytest.approx(np.abs(averages[-1].astype(float)).sum())


def test_checks_report_progress(table):
    seen = []
    settings = replace(SETTINGS, max_iter=120, n_iter_no_change=100)
    trained = train(*table, settings, 0, seen.append)

    assert len(seen) >= 2
    epochs = [check.epoch for check in seen]
    assert epochs == sorted(set(epochs))
    losses = [trained.loss_curve[epoch - 1] for epoch in epochs]
    assert [check.loss for check in seen] == losses
    scores = [check.score for check in seen if check.score is not None]
    assert scores == trained.validation_scores[1:]


def test_last_report_holds_the_outcome(table):
    seen = []
    settings = replace(SETTINGS, max_iter=120, early_stopping=False)
    trained = train(*table, settings, 0, seen.append)

    assert seen[-1].epoch == seen[-1].n_epochs == len(trained.loss_curve) == 120
    assert seen[-1].score is None
    for name, weight in seen[-1].trained().weights.items():
        np.testing.assert_array_equal(weight, trained.weights[name])


def test_a_check_may_ask_for_the_end(table):
    settings = replace(SETTINGS, max_iter=400, n_iter_no_change=100)
    seen = []

    def stop_at_once(check):
        seen.append(check)
        return True

    trained = train(*table, settings, 0, stop_at_once)

    steady = [check for check in seen if check.score is not None]
    assert len(steady) == 1
    assert len(trained.loss_curve) < 400


def test_what_a_check_raises_ends_the_training(table):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(*table, SETTINGS, 0, stop)


@pytest.mark.parametrize("early_stopping", [True, False])
def test_loss_that_is_no_number_names_the_most_extreme_column(early_stopping):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(90, 6))
    values[7, 2] = 40.0
    rows, encoding = encode(values)
    settings = replace(SETTINGS, learning_rate_init=1e30, early_stopping=early_stopping)
    with pytest.warns(ConvergenceWarning, match=r"Column 'x2' has the most extreme"):
        trained = train(rows, encoding, settings, seed=0)
    for weight in trained.weights.values():
        assert np.all(np.isfinite(weight))
    assert np.all(np.isfinite(trained.loss_curve))


@pytest.mark.parametrize("loss", [np.nan, np.inf, 1e9])
def test_warning_says_how_many_epochs_were_trained(table, monkeypatch, loss):
    run, calls = Engine.train, []

    def spy(self, *arguments):
        calls.append(arguments)
        state, losses = run(self, *arguments)
        # Three epochs at a constant rate are one call, annealing is the next.
        return state, losses if len(calls) == 1 else np.full_like(losses, loss)

    monkeypatch.setattr(Engine, "train", spy)
    message = r"no longer finite, or diverged, after epoch 3:"
    with pytest.warns(ConvergenceWarning, match=message):
        trained = train(*table, replace(SETTINGS, early_stopping=False), seed=0)
    assert len(calls) == 2
    assert len(trained.loss_curve) == 3


# Settings that follow the table.

SIZES = [1, 20, 150, 300, 1_000, 6_000, 50_000, 10**6]


def test_automatic_settings_grow_with_the_table():
    resolved = [Settings().resolve(n_rows, 16) for n_rows in SIZES]
    steps = {}  # by width, as wider networks make fewer
    for n_rows, settings in zip(SIZES, resolved, strict=True):
        assert all(units > 0 for units in settings.hidden_layer_sizes)
        assert settings.hidden_layer_sizes
        assert 0 < settings.learning_rate_init < 0.1
        assert settings.max_iter >= 1
        per_epoch = math.ceil(n_rows / settings.batch_size)
        n_steps = settings.max_iter * per_epoch
        assert n_steps < 10 * n_rows + per_epoch
        steps.setdefault(settings.hidden_layer_sizes[0], []).append(n_steps)
    batches = [settings.batch_size for settings in resolved]
    widths = [settings.hidden_layer_sizes[0] for settings in resolved]
    assert batches == sorted(batches)
    assert (batches[0], batches[-1]) == (32, 1_024)
    assert widths == sorted(widths)
    for of_one_width in steps.values():
        assert of_one_width == sorted(of_one_width)


@pytest.mark.parametrize("n_rows", SIZES)
def test_given_settings_stay(n_rows):
    given = Settings(
        n_components=3,
        hidden_layer_sizes=(7, 9),
        n_networks=3,
        max_iter=11,
        batch_size=13,
        learning_rate_init=0.017,
    )
    assert given.resolve(n_rows, given.n_components) == given
    resolved = Settings().resolve(n_rows, 16)
    assert resolved.resolve(n_rows, 16) == resolved


def test_steps_that_take_longer_are_fewer():
    epochs = [Settings().resolve(5_000, d).max_iter for d in (2, 16, 32, 64)]
    assert epochs[0] == epochs[1] > epochs[2] > epochs[3] > 0.3 * epochs[0]
