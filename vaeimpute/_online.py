"""A fitted model that learns on from further rows, without those before them.

The more rows a model has learned from, the less further ones move it: the core adds
their sums to those of the rows before, and the networks' rate falls with the share that
they have in all rows (Robbins & Monro 1951).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from vaeimpute._conditional import FittedVAE
from vaeimpute._encoding import Encoding, Rows
from vaeimpute._engine import TrainingState
from vaeimpute._factor_analysis import go_on
from vaeimpute._threads import one_blas_thread
from vaeimpute._training import Settings, pass_over
from vaeimpute._vae import core_weights

#: Rows that the core learns on from at most, out of those that come at once.
_CORE_ROWS = 20_000


def learn_on(
    model: FittedVAE,
    rows: Rows,
    encoding: Encoding,
    settings: Settings,
    state: TrainingState | None,
    seed: int,
) -> tuple[FittedVAE, TrainingState | None, list[float]]:
    """Let a model learn from further rows.

    What was chosen by held-out cells stays: the sizes, and the networks' share in each
    column. So do the prior of the latents and what `FittedVAE.patterns` holds.

    Parameters
    ----------
    model : FittedVAE
    rows : Rows
    encoding : Encoding
        That the model was fitted with.
    settings : Settings
    state : TrainingState or None
        That the last call returned; None at the first one.
    seed : int or list of int

    Returns
    -------
    model : FittedVAE
    state : TrainingState or None
        Of the networks, if there are any.
    losses : list of float
        Mean loss of the pass over the rows, in nats per column.
    """
    n_rows = model.n_rows + len(rows.values)
    core = model.core and _core_on(model.core, model, rows)
    if not model.architecture.hidden_layer_sizes:
        return replace(_core_on(model, model, rows), n_rows=n_rows), None, []
    sizes = model.architecture
    settings = replace(
        settings.resolve(n_rows, sizes.n_latent),
        hidden_layer_sizes=sizes.hidden_layer_sizes,
        n_networks=sizes.n_networks,
    )
    rate = math.sqrt(len(rows.values) / n_rows)
    weights, state, losses = pass_over(
        rows, encoding, settings, model.weights, state, rate, seed
    )
    return replace(model, weights=weights, core=core, n_rows=n_rows), state, losses


def _core_on(core: FittedVAE, whole: FittedVAE, rows: Rows) -> FittedVAE:
    """Return a core, alone, that has learned from further rows than `whole` had."""
    n_rows = len(rows.values)
    some = np.linspace(0, n_rows - 1, min(n_rows, _CORE_ROWS)).astype(int)
    values, observed = core.core_values(Rows(rows.values[some], rows.observed[some]))
    # Cells of each value that were seen before; fewer rows now stand for fewer then.
    nothing = np.zeros(whole.patterns.shape)
    seen = core.core_values(Rows(nothing, whole.patterns))[1].mean(axis=0)
    count = seen * whole.n_rows * len(some) / n_rows
    with one_blas_thread:
        model = go_on(core.linear_core(), count, values, observed)
    return replace(core, weights=core_weights(model, core.architecture))
