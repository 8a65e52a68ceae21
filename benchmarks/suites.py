"""Suites: grids of cases on tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pandas as pd

from benchmarks.datasets import (
    COMMITTED,
    HEADLINE,
    Table,
    load,
    nominal_part,
    numeric_part,
    without_target,
)
from benchmarks.protocol import Case


@dataclass(frozen=True)
class Suite:
    """A grid of cases.

    Attributes
    ----------
    datasets : tuple of str
        Names of tables; none: all of the folder.
    settings : tuple of (str, float)
        Mechanisms, and shares of the cells that they hide.
    masks : tuple of int
        Seeds of the hidden cells.
    methods : tuple of str
    slow_methods : tuple of str
        Methods that get the first mask alone.
    table : callable
        Takes a name and a table, and returns what the suite uses of it.
    new_share : float
        Share of the rows that methods do not see before these are to be filled.
    metric : str
        The score that is reported first.
    uses_folder : bool
        Whether ``--data`` comes before the tables that are here.
    """

    datasets: tuple[str, ...]
    settings: tuple[tuple[str, float], ...]
    masks: tuple[int, ...]
    methods: tuple[str, ...]
    slow_methods: tuple[str, ...] = ()
    table: Callable[[str, pd.DataFrame], Table] = without_target
    new_share: float = 0.2
    metric: str = "rmse"
    uses_folder: bool = False

    def cases(
        self,
        methods: tuple[str, ...] | None = None,
        datasets: tuple[str, ...] | None = None,
        masks: tuple[int, ...] | None = None,
    ) -> Iterator[Case]:
        """Yield all cases, or some; those of one problem follow each other."""
        methods = methods or (*self.methods, *self.slow_methods)
        grid = product(masks or self.masks, self.settings, datasets or self.datasets)
        for mask, (mechanism, rate), dataset in grid:
            for method in methods:
                if method not in self.slow_methods or mask == self.masks[0]:
                    yield Case(dataset, mechanism, rate, mask, method)

    def load(self, name: str, folder: Path | None) -> Table:
        """Return what the suite uses of a table."""
        is_here = name in COMMITTED and not self.uses_folder
        return self.table(name, load(name, None if is_here else folder))


def _numeric(name: str, table: pd.DataFrame) -> Table:
    return Table(numeric_part(table, _MAX_ROWS))


def _nominal(name: str, table: pd.DataFrame) -> Table:
    return Table(nominal_part(table, _MAX_ROWS))


_MAX_ROWS = 6_000
_FAST = ("mean", "knn", "iterative", "em-gaussian", "vae")
_SLOW = ("missforest", "miceforest", "gaussian-copula", "hyperimpute")

SUITES = {
    "quick": Suite(
        datasets=("concrete", "banknote", "wdbc", "student_mat"),
        settings=(("mcar", 0.3),),
        masks=(0,),
        methods=_FAST,
    ),
    "headline": Suite(
        datasets=HEADLINE,
        settings=(("mcar", 0.3), ("mar", 0.3), ("mnar", 0.3), ("mcar", 0.5)),
        masks=(0, 1, 2),
        methods=_FAST,
        slow_methods=(*_SLOW, "miwae", "gain"),
    ),
    "full": Suite(
        datasets=(),
        settings=(
            ("mcar", 0.1),
            ("mcar", 0.3),
            ("mcar", 0.5),
            ("mcar", 0.7),
            ("mar", 0.3),
            ("mnar", 0.3),
            ("mnar-above-mean", 0.3),
            ("mnar-censored", 0.3),
            ("blocks", 0.3),
        ),
        masks=(0, 1, 2, 3, 4),
        methods=_FAST,
        slow_methods=_SLOW,
        uses_folder=True,
    ),
    "numeric": Suite(
        datasets=("california", "concrete", "banknote", "wdbc", "letter"),
        settings=(("independent", 0.3),),
        masks=(0, 1, 2, 3, 4),
        methods=("mean", "iterative", "vae"),
        table=_numeric,
        new_share=0.0,
        uses_folder=True,
    ),
    "nominal": Suite(
        datasets=("mushroom", "nursery", "car", "vote", "soybean"),
        settings=(("independent", 0.3),),
        masks=(0, 1, 2),
        methods=("mode", "iterative", "knn", "knn-distance", "vae"),
        table=_nominal,
        new_share=0.0,
        metric="accuracy",
        uses_folder=True,
    ),
}
