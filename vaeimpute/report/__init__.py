"""A page that tells what a table lacks, how well it can be filled, and what to check.

``vaeimpute report my.csv -o report.html`` makes the same page from the command line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from vaeimpute._atomic_files import replacing
from vaeimpute._containers import Table
from vaeimpute._generation import check_count
from vaeimpute._imputer import VAEImputer
from vaeimpute.report._findings import Findings, find
from vaeimpute.report._page import page
from vaeimpute.report._verdict import Verdict, counted


@dataclass(frozen=True, eq=False)
class Report:
    """What `report` found; a notebook shows it as a page, ``print`` the verdict.

    Parameters
    ----------
    findings : Findings
        All numbers, in frames: `columns`, `patterns`, `together`, `odd`,
        `extrapolated`, and more.
    title : str
        Heading of the page.
    settings : str
        How it was made, for the end of the page.

    Attributes
    ----------
    verdict : Verdict
        What to do and how far to trust it, in sentences.
    html : str
        The page.

    Examples
    --------
    >>> import os, tempfile
    >>> from vaeimpute import VAEImputer
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.report import report
    >>> imputer = VAEImputer(n_components=2, hidden_layer_sizes=())
    >>> found = report(load_penguins(), imputer, n_repeats=1, random_state=0)
    >>> found.findings.patterns["n_rows"].tolist()
    [333, 9, 2]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "report.html")
    ...     found.save(path)
    ...     os.listdir(folder)
    ['report.html']
    """

    findings: Findings
    title: str
    settings: str = field(repr=False)

    @cached_property
    def verdict(self) -> Verdict:
        """What to do and how far to trust it, in sentences."""
        return Verdict.of(self.findings)

    @cached_property
    def html(self) -> str:
        """The page, which needs no other file and no network."""
        return page(self.findings, self.verdict, self.title, self.settings)

    def save(self, path: str | Path) -> None:
        """Write the page to a file, whole or not at all; one that is there is replaced.

        Parameters
        ----------
        path : path

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        with replacing(Path(path).resolve()) as unfinished:
            unfinished.write_bytes(self.html.encode())

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, whose styles stay in it."""
        return (
            f'<iframe title="{escape(self.title)}" sandbox="allow-scripts" '
            f'width="100%" height="720" style="border: 1px solid #8884" '
            f'srcdoc="{escape(self.html)}"></iframe>'
        )

    def __str__(self) -> str:
        return str(self.verdict)


def report(
    X: Table,
    imputer: VAEImputer | None = None,
    *,
    fraction: float = 0.1,
    n_repeats: int = 3,
    max_rows: int = 10_000,
    title: str = "Missing data",
    random_state: Any = None,
) -> Report:
    """Find out what a table lacks, how well it can be filled, and what to check.

    Observed cells are hidden and filled by `compare_imputers`, and `VAEImputer` is
    fitted once more to the table as it is: in all as long as ``n_repeats + 1`` fits
    and a bit.

    Parameters
    ----------
    X : DataFrame or array of shape (n_rows, n_columns)
        The table, of pandas, polars or NumPy; it is not changed.
    imputer : VAEImputer, default=None
        Whose errors and odd cells are reported; it is cloned. Its `add_indicator`,
        `keep_empty_features` and `leave_missing` are not heeded. None:
        ``VAEImputer(text_features="passthrough")``.
    fraction : float in (0, 1), default=0.1
        Share of the observed cells of each column to hide.
    n_repeats : int, default=3
        How often cells are hidden and all imputers fitted.
    max_rows : int, default=10_000
        Rows that are drawn for all that takes a fit, where there are more. What is
        missing is counted in all rows.
    title : str, default="Missing data"
        Heading of the page.
    random_state : int, RandomState or None, default=None
        Seed of the rows, the hidden cells and the fits. An integer gives the same page
        for the same table.

    Returns
    -------
    Report
        Its `findings`, its `verdict`, and the page, which `save` writes.

    Raises
    ------
    ValueError
        If a parameter is not as described, no cell of `X` is observed, or no column can
        be compared; see `compare_imputers`.

    Examples
    --------
    >>> from vaeimpute import VAEImputer
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.report import report
    >>> imputer = VAEImputer(n_components=2, hidden_layer_sizes=())
    >>> found = report(load_penguins(), imputer, n_repeats=1, random_state=0)
    >>> found.verdict.headline
    'Something simpler is as good'
    >>> int(found.findings.columns.loc["sex", "n_missing"])
    11
    """
    if imputer is None:
        imputer = VAEImputer(text_features="passthrough")
    elif not isinstance(imputer, VAEImputer):
        raise ValueError(f"imputer: got {imputer!r}, expected a VAEImputer")
    check_count(max_rows, "max_rows", 2)
    findings = find(
        X,
        imputer,
        fraction=fraction,
        n_repeats=n_repeats,
        max_rows=max_rows,
        random_state=random_state,
    )
    settings = (
        f"Cells were hidden {counted(n_repeats, 'time')}: each time "
        f"{100 * fraction:g}% of the observed ones of each column."
    )
    return Report(findings, str(title), settings)
