"""How a fit goes on, told to a progress bar and to scikit-learn's callbacks."""

from __future__ import annotations

import shutil
import sys
import time

from vaeimpute._notebook import Display, is_notebook, progress_bar

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:
        """Stands in where scikit-learn has no callbacks."""


#: Letters of a bar in a terminal that is wide enough.
_BAR = 24
#: Seconds between lines where these cannot be overwritten.
_PAUSE = 30.0


class Progress:
    """Tells of a fit's beginning, checks and end: a context for the fit.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose fit it is.
    X, y : table, ignored
        What is fitted, for callbacks that score.
    """

    def __init__(self, estimator, X, y):
        self._shared = {"estimator": estimator, "X": X, "y": y}
        self._bar = Bar(type(estimator).__name__) if estimator.verbose else None
        self._context = None
        if hasattr(estimator, "_init_callback_context"):
            # How many checks there will be is not known before the end.
            self._context = estimator._init_callback_context(max_subtasks=None)
            self._context.call_on_fit_task_begin(**self._shared)

    def check(self, check, fitted) -> bool:
        """Tell of a `Check`; return whether a callback asks to stop.

        `fitted` returns the fitted attributes that the estimator would have now.
        """
        if self._bar is not None:
            self._bar.show(check.epoch, check.n_epochs, _words(check))
        if self._context is None:
            return False
        task = self._context.subcontext(task_name="check")
        task.call_on_fit_task_begin(**self._shared)
        return task.call_on_fit_task_end(
            **self._shared, reconstruction_attributes=fitted
        )

    def __enter__(self) -> Progress:
        """Return itself."""
        return self

    def __exit__(self, kind, error, traceback) -> None:
        """Tell that the estimator is fitted, if it is."""
        if self._bar is not None:
            self._bar.close()
        if kind is None and self._context is not None:
            self._context.call_on_fit_task_end(
                **self._shared, reconstruction_attributes=dict
            )


def _words(check) -> str:
    score = "" if check.score is None else f", score {check.score:.3f}"
    return f"loss {check.loss:.3f}{score}"


class Bar:
    """A line that is replaced by the next: in a notebook, in a terminal, or not at all.

    Where standard output is neither, lines are at least half a minute apart, and the
    last one is always written.

    Parameters
    ----------
    name : str
        Of what goes on.
    """

    def __init__(self, name: str):
        self._name, self._start = name, time.perf_counter()
        self._display = Display() if is_notebook() else None
        self._text, self._written = "", ""
        self._last = self._start

    def show(self, done: int, n: int, words: str) -> None:
        """Show how many of how many epochs are done, and more in words."""
        seconds = time.perf_counter() - self._start
        self._text = f"{self._name}: epoch {done:,} of {n:,}, {words}, {seconds:.0f} s"
        share = min(done / n, 1.0) if n else 1.0
        if self._display is not None:
            self._display.show(progress_bar(share, self._text), self._text)
        elif sys.stdout.isatty():
            # A line that the terminal wraps could not be overwritten.
            columns = shutil.get_terminal_size().columns
            width = max(min(_BAR, columns - len(self._text) - 4), 0)
            bar = "#" * round(width * share)
            self._write(f"\r[{bar:<{width}}] {self._text}"[:columns])
        elif time.perf_counter() - self._last > _PAUSE:
            self._last = time.perf_counter()
            self._write(f"{self._text}\n")

    def close(self) -> None:
        """Leave the last line as it is, and go to the next."""
        if self._display is not None or not self._text:
            return
        if self._written.startswith("\r"):
            self._write("\n")
        elif not self._written.startswith(self._text):
            self._write(f"{self._text}\n")

    def _write(self, text: str) -> None:
        # What is left of a longer line before is overwritten by spaces.
        rest = len(self._written) - len(text) if text.startswith("\r") else 0
        sys.stdout.write(text + " " * rest)
        sys.stdout.flush()
        self._written = text
