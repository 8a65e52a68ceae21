"""Training: the linear core, its rank, then the networks as long as they pay.

Some observed cells are held out. The core's rank and the number of training
steps are chosen by how well these cells are predicted; then all cells train.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from vaeimpute import _numpy_ops
from vaeimpute._encoding import Encoding, Rows
from vaeimpute._engine import MAX_STEPS, Engine, Steps, TrainingState
from vaeimpute._factor_analysis import (
    PRIOR_ROWS,
    FactorAnalysis,
    fit_factor_analysis,
)
from vaeimpute._threads import one_blas_thread
from vaeimpute._vae import VAE, Architecture, core_weights, initial_weights
from vaeimpute._validation import Validation, hold_out, hold_out_rows

#: Largest share of a row's observed cells that a training step hides.
_MAX_HIDDEN_RATE = 0.5

#: One row in so many has a bound in a training step. Guesses depend on the hidden-cell
#: term of all rows; the bound costs most of a step (docs/experiments.md, trial 41).
_ROWS_PER_BOUND = 4

#: Rank search: held-out cells that ranks are told apart by, if it takes no more than so
#: many hold-outs (docs/experiments.md, trial 53), larger ranks tried after the best so
#: far, and the work of one EM step (rows x values x rank^2) above which a sample of the
#: rows must do.
_RANK_CELLS, _MAX_HOLD_OUTS = 1_000, 5
_RANK_PATIENCE = 2
_CORE_WORK = 2**29

#: Rows that the core is fitted to at most. It has few parameters, which the networks'
#: training goes on to move (docs/experiments.md, trial 61).
_CORE_ROWS = 20_000

#: Steps of EM that goes on from a core, when held-out cells join the others, at most.
_CORE_STEPS_ON = 20

#: Steps of growing learning rate, and steps between two looks at held-out cells.
_WARM_UP_STEPS = 100
_CHECK_STEPS = 100

#: Share of all epochs kept for annealing the learning rate on all cells.
_ANNEAL_SHARE = 0.3

#: A loss beyond so many nats per column has diverged.
_LARGEST_LOSS = 1e5

#: Fewest latents of networks, and the largest rank tried.
_LEAST_LATENTS, _MAX_RANK = 16, 64

#: Rows of a training step, at least, where "auto" decides.
_LEAST_BATCH = 32

#: Tables of fewer rows get narrower networks, and two of them: their answers differ
#: most there (docs/experiments.md, trials 30 and 31).
_FEW_ROWS = 3_000


@dataclass(frozen=True)
class Settings:
    """How to train; sizes may be "auto" and follow the table.

    The fields are `VAEImputer`'s parameters of the same names, and `is_bottleneck`:
    whether everything is decoded from the posterior's mean, around probabilistic
    principal component analysis instead of factor analysis.
    """

    n_components: int | str = "auto"
    hidden_layer_sizes: tuple[int, ...] | str = "auto"
    n_networks: int | str = "auto"
    activation: str = "silu"
    max_iter: int | str = "auto"
    batch_size: int | str = "auto"
    learning_rate_init: float | str = "auto"
    early_stopping: bool = True
    validation_fraction: float = 0.05
    n_iter_no_change: int = 10
    tol: float = 1e-4
    beta: float = 1.0
    device: str | tuple[str, ...] | None = None
    mixed_precision: bool = False
    is_bottleneck: bool = False

    def resolve(self, n_rows: int, n_latent: int) -> Settings:
        """Return settings with every "auto" replaced by numbers."""
        batch, hidden = self.batch_size, self.hidden_layer_sizes
        is_small = n_rows < _FEW_ROWS
        if batch == "auto":
            batch = int(np.clip(_power_of_two(n_rows / 4), _LEAST_BATCH, 256))
            batch *= 1 + (n_rows > 50_000) + 2 * (n_rows > 200_000)
        if hidden == "auto":
            width = 64 if n_rows < 200 else 128 if is_small else 192
            hidden = (width, width)
        epochs = self.max_iter
        if epochs == "auto":
            # Twice the width costs twice the time: about the same work for all.
            n_steps = 3_000 if is_small else 2_000 + n_rows // 200
            # 16, 32 and 64 latents take 1, 1.4 and 2.7 times as long a step.
            n_steps = round(n_steps * 2 / (1 + max(n_latent, _LEAST_LATENTS) / 16))
            n_steps = min(10 * n_rows, n_steps)
            epochs = math.ceil(n_steps / math.ceil(n_rows / batch))
        rate, n_networks = self.learning_rate_init, self.n_networks
        if n_networks == "auto":
            n_networks = 2 if is_small and not self.is_bottleneck else 1
        if rate == "auto":
            rate = 1.5e-3 if is_small else 1e-3
        return replace(
            self,
            n_components=n_latent,
            batch_size=batch,
            hidden_layer_sizes=tuple(hidden),
            n_networks=n_networks,
            max_iter=epochs,
            learning_rate_init=rate,
        )


@dataclass(frozen=True)
class Trained:
    """The outcome of training, as plain data.

    Attributes
    ----------
    architecture : Architecture
        Without hidden layers where the networks did not beat the core.
    weights : dict of str to ndarray
    core : Trained or None
        The core alone, where some columns are filled by it as well.
    network_share : ndarray of shape (n_columns,)
        How much of a column's answers comes from the networks, not from the core.
    loss_curve : list of float
        Mean loss of each epoch, in nats per column.
    validation_scores : list of float
        Explained share of the held-out cells at each check; first the core's.
    unseen : tuple of Unseen
        Held-out cells and this model as it was before it trained on them. Of the core
        alone there are several, where more than one hold-out chose its rank.
    """

    architecture: Architecture
    weights: dict[str, np.ndarray]
    core: Trained | None
    network_share: np.ndarray
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    unseen: tuple[Unseen, ...] = ()


class Unseen(NamedTuple):
    """Held-out cells, and a model that has not seen them."""

    model: Trained
    validation: Validation


@dataclass(frozen=True)
class Check:
    """How training stands when held-out cells have been looked at.

    Attributes
    ----------
    epoch, n_epochs : int
        Epochs trained and planned; fewer are planned once training has stopped
        early.
    loss : float
        Of the last epoch, in nats per column.
    score : float or None
        Explained share of the held-out cells; None where none was measured.
    trained : callable
        Returns what training would give if it ended here.
    """

    epoch: int
    n_epochs: int
    loss: float
    score: float | None
    trained: Callable[[], Trained]


def train(
    rows: Rows,
    encoding: Encoding,
    settings: Settings,
    seed: int,
    on_check: Callable[[Check], bool | None] | None = None,
) -> Trained:
    """Fit core and networks to encoded rows.

    Parameters
    ----------
    rows : Rows
    encoding : Encoding
    settings : Settings
    seed : int
    on_check : callable, optional
        Called after every 100 steps or so. If it returns true, no further epochs
        are tried, only the last ones on all cells; what it raises ends the training.

    Warns
    -----
    ConvergenceWarning
        If the loss stops being finite; the last good weights are kept.
    """
    generator = np.random.default_rng(seed)
    validation = None
    if settings.early_stopping:
        validation = _held_out(rows, encoding, settings, generator)
    core = _choose_core(rows, encoding, settings, validation, generator)
    nothing_to_judge_by = settings.early_stopping and validation is None
    if nothing_to_judge_by or not settings.hidden_layer_sizes:
        return _core_alone(rows, encoding, settings, core)
    n_latent = _number_of_latents(settings, core.chosen)
    settings = settings.resolve(len(rows.values), n_latent)
    run = _Run(rows, encoding, settings, core, validation, generator, on_check)
    return run.train()


def pass_over(
    rows: Rows,
    encoding: Encoding,
    settings: Settings,
    weights: dict[str, np.ndarray],
    state: TrainingState | None,
    rate: float,
    seed: int,
) -> tuple[dict[str, np.ndarray], TrainingState, list[float]]:
    """Train networks that are fitted already for one epoch.

    Parameters
    ----------
    rows : Rows
    encoding : Encoding
    settings : Settings
        Resolved.
    weights : dict of str to ndarray
    state : TrainingState or None
        Where the last pass ended; None begins at `weights`.
    rate : float
        Of learning, as a share of that of the settings.
    seed : int or list of int

    Returns
    -------
    weights : dict of str to ndarray
    state : TrainingState
        Of NumPy arrays.
    loss_curve : list of float
        One number, or none if the loss was not finite: then nothing has changed.
    """
    # A few rows are not to be repeated until they fill a large batch.
    enough = max(_LEAST_BATCH, _power_of_two(len(rows.values), math.ceil))
    batch_size = min(settings.batch_size, enough)
    settings = replace(settings, batch_size=batch_size)
    generator = np.random.default_rng(seed)
    run = _Run(rows, encoding, settings, None, None, generator, None)
    return run.pass_over(weights, state, rate)


def _held_out(rows, encoding, settings, generator) -> Validation | None:
    hold = hold_out_rows if settings.is_bottleneck else hold_out
    return hold(rows, encoding, settings.validation_fraction, generator)


@dataclass(frozen=True)
class _Core:
    """The linear core without the cells that training is judged by, if there are some.

    `unseen` has the cells of each hold-out, and what was fitted without them; first
    comes `chosen`.
    """

    chosen: FactorAnalysis
    unseen: tuple[tuple[FactorAnalysis, Validation], ...] = ()


def _choose_core(rows, encoding, settings, validation, generator) -> _Core:
    """Fit the core at the largest rank that held-out cells do not speak against."""
    n_values = _core_architecture(encoding, 1, settings).n_values
    if settings.n_components != "auto":
        ranks = [min(settings.n_components, n_values)]
    elif validation is None:
        ranks = [min(n_values, _MAX_RANK)]
    else:
        ranks = _candidate_ranks(n_values)
    if len(ranks) == 1:
        if validation is None:
            return _Core(_fit_core(rows, encoding, ranks[0], settings))
        core = _fit_core(validation.training, encoding, ranks[0], settings)
        return _Core(core, ((core, validation),))
    hold_outs = [validation]
    hold_outs += _more_held_out(rows, encoding, settings, validation, generator)
    cores, losses = [], []
    for rank in ranks:
        fits = [_fit_core(v.training, encoding, rank, settings) for v in hold_outs]
        pairs = tuple(zip(fits, hold_outs, strict=True))
        of_cells = [_core_losses(core, encoding, v, settings) for core, v in pairs]
        cores.append(_Core(fits[0], pairs))
        losses.append(np.concatenate(of_cells))
        if len(losses) - _best(losses) > _patience(rank):
            break
    return cores[_largest_of_the_best(ranks, losses)]


def _patience(rank: int) -> int:
    """Return how many ranks are fitted from the best one on, before one is chosen.

    Beyond `_LEAST_LATENTS`, where each takes long, a rank must beat the one before it
    for the next to be tried (docs/experiments.md, trial 65).
    """
    return _RANK_PATIENCE if rank <= _LEAST_LATENTS else 1


def _best(losses) -> int:
    return int(np.argmin([loss.sum() for loss in losses]))


def _largest_of_the_best(ranks, losses: list[np.ndarray]) -> int:
    """Return the place of the largest rank that is not shown to lose.

    Its held-out cells lose no more than one standard error beside the best rank's. The
    prior of the loadings keeps what is too much from harm, and latents up to
    `_LEAST_LATENTS` cost nothing.
    """
    best = _best(losses)
    for k in range(len(losses) - 1, best, -1):
        excess = losses[k] - losses[best]
        error = excess.std() * math.sqrt(len(excess))
        if ranks[k] <= _LEAST_LATENTS and excess.sum() <= error:
            return k
    return best


def _more_held_out(rows, encoding, settings, validation, generator) -> list[Validation]:
    """Hold out other cells, as often as it takes for enough to tell ranks by."""
    count = math.ceil(_RANK_CELLS / validation.n_cells)
    generators = generator.spawn(min(count, _MAX_HOLD_OUTS) - 1)
    more = (_held_out(rows, encoding, settings, other) for other in generators)
    return [validation for validation in more if validation is not None]


def _core_losses(core, encoding, validation, settings) -> np.ndarray:
    answers = _core_answers(core, encoding, validation, settings)
    return validation.losses(answers)


def _number_of_latents(settings: Settings, core: FactorAnalysis) -> int:
    """Return the latents asked for, or as many as the core's, at least 16."""
    if settings.n_components != "auto":
        return settings.n_components
    return int(np.clip(_power_of_two(core.rank, math.ceil), _LEAST_LATENTS, _MAX_RANK))


def _candidate_ranks(n_values: int) -> list[int]:
    top = min(n_values, _MAX_RANK)
    return [rank for rank in (1, 2, 4, 8, 16, 32) if rank < top] + [top]


def _fit_core(
    rows: Rows,
    encoding: Encoding,
    rank: int,
    settings: Settings,
    start: FactorAnalysis | None = None,
) -> FactorAnalysis:
    model = VAE(_core_architecture(encoding, rank, settings), _numpy_ops)
    n_rows, n_values = len(rows.values), model.architecture.n_values
    limit = min(_CORE_ROWS, max(1_000, _CORE_WORK // (n_values * rank * rank)))
    some = slice(None) if n_rows <= limit else _spread_over(n_rows, limit)
    going_on = {} if start is None else {"start": start, "max_iter": _CORE_STEPS_ON}
    cells = model.cells(encoding.layout(), rows.values[some], rows.observed[some])
    with one_blas_thread:
        return fit_factor_analysis(
            cells.values,
            cells.present > 0,
            rank,
            # With one noise for all values, few of them can fit it: no prior is needed.
            prior_rows=0.0 if settings.is_bottleneck else PRIOR_ROWS,
            equal_noise=settings.is_bottleneck,
            **going_on,
        )


def _core_answers(core, encoding, validation, settings) -> np.ndarray:
    """Return what the core alone says of the held-out cells."""
    architecture = _core_architecture(encoding, core.rank, settings)
    weights = core_weights(core, architecture)
    model, layout = VAE(architecture, _numpy_ops), encoding.layout()
    parts = []
    with one_blas_thread:
        for start in range(0, len(validation.shown.values), 512):
            block = Rows(*(array[start : start + 512] for array in validation.shown))
            parts.append(model.reconstruct(weights, layout, block))
    return validation.answers(*(np.concatenate(a) for a in zip(*parts, strict=True)))


def _core_architecture(encoding: Encoding, rank: int, settings: Settings):
    alone = replace(settings, hidden_layer_sizes=(), n_networks=1)
    return _architecture(encoding, rank, alone)


def _architecture(encoding: Encoding, n_latent: int, settings: Settings):
    layout = encoding.layout()
    return Architecture(
        n_numeric=len(encoding.numeric),
        n_nominal=len(encoding.nominal),
        n_scores=layout.contrast.shape[1],
        n_levels=len(layout.log_share),
        n_latent=n_latent,
        hidden_layer_sizes=settings.hidden_layer_sizes,
        activation=settings.activation,
        n_bins=layout.edges.shape[1] - 1,
        n_networks=settings.n_networks,
        is_bottleneck=settings.is_bottleneck,
    )


def _core_alone(rows, encoding, settings, core: _Core) -> Trained:
    """Fit the core on to all cells and leave it at that."""
    chosen = core.chosen
    on = _fit_core(rows, encoding, chosen.rank, settings, start=chosen)
    unseen = tuple(
        Unseen(_without_networks(fit, encoding, settings), validation)
        for fit, validation in core.unseen
    )
    return replace(_without_networks(on, encoding, settings), unseen=unseen)


def _without_networks(core, encoding, settings) -> Trained:
    architecture = _core_architecture(encoding, core.rank, settings)
    weights = core_weights(core, architecture)
    return Trained(architecture, weights, None, np.zeros(architecture.n_columns))


class _Run:
    """One training run of the networks on a fitted core."""

    def __init__(self, rows, encoding, settings, core, validation, generator, on_check):
        self._rows, self._encoding, self._settings = rows, encoding, settings
        self._core, self._validation = core, validation
        self._generator, self._on_check = generator, on_check
        self._architecture = _architecture(encoding, settings.n_components, settings)
        self._engine = Engine(
            self._architecture, settings.device, settings.mixed_precision
        )
        self._layout = self._engine.place(encoding.layout())
        self._n_steps = math.ceil(len(rows.values) / settings.batch_size)
        self._core_answers = None
        if validation is not None:
            self._core_answers = _core_answers(
                core.chosen, encoding, validation, settings
            )
        self._share = np.ones(self._architecture.n_columns)
        self._loss_curve, self._scores = [], []
        self._n_epochs, self._is_stopped = settings.max_iter, False

    def train(self) -> Trained:
        """Run the steady phase, then anneal, or keep the core if it is better."""
        start = self._engine.initial_state(
            initial_weights(
                self._architecture,
                core_weights(self._core.chosen, self._architecture),
                self._generator,
            )
        )
        settings = self._settings
        anneal = max(1, round(_ANNEAL_SHARE * settings.max_iter))
        best, best_epoch = self._steady_phase(start, settings.max_iter - anneal)
        if self._validation is not None:
            if best is start and settings.max_iter > anneal:
                return self._with_records(self._core_alone())
            share = _ANNEAL_SHARE / (1 - _ANNEAL_SHARE)
            left = settings.max_iter - len(self._loss_curve)
            anneal = min(math.ceil(share * best_epoch), left)
        return self._outcome(self._anneal(best, max(1, anneal)), best)

    def pass_over(self, weights, state, rate):
        """Train one epoch from a state, or from weights, at a constant rate."""
        before = state or self._engine.initial_state(weights)
        rows = self._engine.place_if_it_pays(self._rows)
        state = self._epochs(before, rows, 0, 1, lambda step: np.full(len(step), rate))
        if state is None:
            return weights, before, []
        return (
            self._engine.weights(state.average),
            self._engine.to_numpy(state),
            self._loss_curve,
        )

    def _steady_phase(self, state, n_epochs) -> tuple[TrainingState, int]:
        """Train at a constant rate; return the best state and its epoch."""
        rows = self._rows if self._validation is None else self._validation.training
        rows = self._engine.place_if_it_pays(rows)
        best, best_epoch, since = state, 0, 0
        self._score(state)
        for epoch, count in self._between_checks(n_epochs):
            following = self._epochs(state, rows, epoch, count, self._warm_up)
            if following is None:
                break
            state = following
            score, share = self._score(state)
            if score is None or score > max(self._scores[:-1]) + self._settings.tol:
                best, best_epoch, since = state, epoch + count, 0
                self._share = share
            else:
                since += 1
            has_stalled = since >= self._settings.n_iter_no_change
            if has_stalled and best_epoch == 0:  # the core is kept, nothing annealed
                self._n_epochs = epoch + count
            self._report(state, score, state)
            if self._is_stopped or has_stalled:
                break
        return best, best_epoch

    def _anneal(self, state, n_epochs) -> TrainingState:
        """Bring the learning rate down to zero along a cosine, on all cells."""
        before, rows = state, self._engine.place_if_it_pays(self._rows)
        total = n_epochs * self._n_steps

        def rate(step):
            return 0.5 * (1 + np.cos(np.pi * step / total))

        self._n_epochs = len(self._loss_curve) + n_epochs
        for epoch, count in self._between_checks(n_epochs):
            following = self._epochs(state, rows, epoch, count, rate)
            if following is None:
                break
            state = following
            self._report(state, None, before)
        return state

    def _between_checks(self, n_epochs):
        """Yield first epoch and number of epochs until each check."""
        per_check = max(1, round(_CHECK_STEPS / self._n_steps))
        for epoch in range(0, n_epochs, per_check):
            yield epoch, min(per_check, n_epochs - epoch)

    def _epochs(self, state, rows, first, count, rate) -> TrainingState | None:
        """Train whole epochs; None if the loss stops being a number."""
        n_rows = len(self._rows.values)
        length = self._n_steps * self._settings.batch_size
        order = [
            np.resize(self._generator.permutation(n_rows), length) for _ in range(count)
        ]
        order = np.concatenate(order).reshape(-1, self._settings.batch_size)
        losses = []
        for start in range(0, len(order), MAX_STEPS):
            chosen = order[start : start + MAX_STEPS]
            number = first * self._n_steps + start + np.arange(len(chosen))
            steps = self._draw_steps(chosen, rate(number))
            state, loss = self._engine.train(
                state, rows, self._layout, steps, self._settings.beta
            )
            losses.append(loss)
        by_epoch = np.concatenate(losses).reshape(count, -1).mean(axis=1)
        if not np.all(np.abs(by_epoch) < _LARGEST_LOSS):  # or it is no number
            self._warn_not_finite()
            return None
        self._loss_curve.extend(by_epoch.tolist())
        return state

    def _draw_steps(self, chosen, rate) -> Steps:
        generator, shape = self._generator, chosen.shape
        columns, latents = self._architecture.n_columns, self._architecture.n_latent
        n_bounded = shape[1]
        if not self._architecture.is_bottleneck:
            n_bounded = math.ceil(n_bounded / _ROWS_PER_BOUND)
        return Steps(
            rows=chosen.astype(np.int32),
            rate=_MAX_HIDDEN_RATE * generator.random((*shape, 1), np.float32),
            hide=generator.random((*shape, columns), np.float32),
            noise=generator.standard_normal((shape[0], n_bounded, latents), np.float32),
            learning_rate=np.float32(self._settings.learning_rate_init * rate),
        )

    def _warm_up(self, step):
        return np.minimum(1.0, (step + 1) / _WARM_UP_STEPS)

    def _score(self, state) -> tuple[float | None, np.ndarray]:
        """Return how well the held-out cells are predicted, and the shares for it."""
        validation = self._validation
        if validation is None:
            return None, self._share
        shown = self._engine.place(validation.shown)
        answers = self._engine.answer(state.average, self._layout, shown)
        answers = validation.answers(*answers)
        if self._settings.is_bottleneck:  # there is one space of latents, not two
            share, loss = self._share, validation.losses(answers).sum()
        else:
            share, loss = validation.best_pool(self._core_answers, answers)
        self._scores.append(validation.score(loss))
        return self._scores[-1], share

    def _report(self, state, score, before) -> None:
        if self._on_check is None:
            return
        losses = self._loss_curve
        check = Check(
            len(losses),
            self._n_epochs,
            losses[-1],
            score,
            lambda: self._outcome(state, before),
        )
        self._is_stopped |= bool(self._on_check(check))

    def _outcome(self, state, before) -> Trained:
        """Return a state as what training gave; `before` has seen no held-out cell."""
        core = None if np.all(self._share == 1.0) else self._core_alone()
        trained = self._with_networks(state, core)
        if self._validation is not None:
            earlier = self._with_networks(before, core and core.unseen[0].model)
            trained = replace(trained, unseen=(Unseen(earlier, self._validation),))
        return self._with_records(trained)

    def _with_networks(self, state, core: Trained | None) -> Trained:
        weights = self._engine.weights(state.average)
        return Trained(self._architecture, weights, core, self._share)

    def _core_alone(self) -> Trained:
        """Return the core fitted to all cells, without networks."""
        return _core_alone(self._rows, self._encoding, self._settings, self._core)

    def _with_records(self, trained) -> Trained:
        return replace(
            trained,
            loss_curve=list(self._loss_curve),
            validation_scores=list(self._scores),
        )

    def _warn_not_finite(self):
        sizes = np.abs(self._rows.values[:, : self._architecture.n_numeric])
        largest = sizes.max(axis=0, initial=0.0)
        where = ""
        if len(largest):
            j = np.argmax(largest)
            where = (
                f" {self._encoding.labels[j]} has the most extreme value, "
                f"{largest[j]:.3g} standard deviations from its mean."
            )
        warnings.warn(
            "The loss was no longer finite, or diverged, after epoch "
            f"{len(self._loss_curve)}: "
            f"training stopped and the last good weights are kept.{where} A smaller "
            "learning_rate_init may help.",
            ConvergenceWarning,
            stacklevel=2,
        )


def _spread_over(n_rows: int, n_chosen: int) -> np.ndarray:
    return np.linspace(0, n_rows - 1, n_chosen).astype(int)


def _power_of_two(size: float, rounding=round) -> int:
    return 2 ** max(0, rounding(math.log2(max(size, 1))))
