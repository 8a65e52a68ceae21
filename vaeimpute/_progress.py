"""How a fit goes on, told to a progress bar and to scikit-learn's callbacks."""

from __future__ import annotations

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:
        """Stands in where scikit-learn has no callbacks."""


class Progress:
    """Tells of a fit's beginning, checks and end.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose fit it is.
    X, y : table, ignored
        What is fitted, for callbacks that score.
    """

    def __init__(self, estimator, X, y):
        self._shared = {"estimator": estimator, "X": X, "y": y}
        self._bar = None
        self._context = None
        if hasattr(estimator, "_init_callback_context"):
            # How many checks there will be is not known before the end.
            self._context = estimator._init_callback_context(max_subtasks=None)
            self._context.call_on_fit_task_begin(**self._shared)

    def check(self, check, fitted) -> bool:
        """Tell of a `Check`; return whether a callback asks to stop.

        `fitted` returns the fitted attributes that the estimator would have now.
        """
        if self._shared["estimator"].verbose:
            self._show(check)
        if self._context is None:
            return False
        task = self._context.subcontext(task_name="check")
        task.call_on_fit_task_begin(**self._shared)
        return task.call_on_fit_task_end(
            **self._shared, reconstruction_attributes=fitted
        )

    def end(self) -> None:
        """Tell that the estimator is fitted."""
        if self._context is not None:
            self._context.call_on_fit_task_end(
                **self._shared, reconstruction_attributes=dict
            )

    def _show(self, check):
        import keras

        if self._bar is None:
            self._bar = keras.utils.Progbar(None, unit_name="epoch")
            self._bar.stateful_metrics = {"loss", "score"}
        self._bar.target = check.n_epochs
        scores = [] if check.score is None else [("score", check.score)]
        self._bar.update(check.epoch, [("loss", check.loss), *scores])
