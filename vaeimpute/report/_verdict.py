"""What follows from a report's findings, in plain words."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import pandas as pd

from vaeimpute.report._findings import FEWEST_HIDDEN, LEVEL, Findings, Share

#: With fewer hidden cells in all, nothing is said of how good anything is.
_FEWEST_CELLS = 50
#: Columns that are named in one sentence, and letters of one name.
_MAX_NAMED, _MAX_LETTERS = 5, 40
#: Shares that differ by less are the same to a reader, chance or not.
_NEGLIGIBLE = 0.02
#: Share of missing cells from which on a column is warned of.
_MOSTLY_MISSING = 0.5

#: What the imputers of `default_imputers` are, in words.
IMPUTERS = {
    "mean": "the column's mean or most frequent level (SimpleImputer)",
    "knn": "the nearest rows (KNNImputer)",
    "iterative": "chained regressions (IterativeImputer)",
    "vae": "the autoencoder (VAEImputer)",
}

_CAVEAT = (
    "All of this holds for cells that are missing by chance, as the hidden ones were. "
    "Where cells are missing because of what would stand in them, errors are larger, "
    "and no table can show whether that is so."
)


@dataclass(frozen=True)
class Verdict:
    """What to do, in one sentence, and the reasons.

    Parameters
    ----------
    headline : str
    to_do, trust, to_check, limits : tuple of str
        Sentences on what to do, how far to trust it, what to look at before, and what
        the report cannot tell.
    """

    headline: str
    to_do: tuple[str, ...]
    trust: tuple[str, ...]
    to_check: tuple[str, ...]
    limits: tuple[str, ...]

    @classmethod
    def of(cls, findings: Findings) -> Verdict:
        """Judge what was found."""
        headline, to_do = _advice(findings)
        return cls(
            headline,
            (*to_do, *_exceptions(findings)),
            (*_predictability(findings), *_certainty(findings)),
            _to_check(findings),
            (*_limits(findings), _CAVEAT),
        )

    def __str__(self) -> str:
        parts = {
            "What to do": self.to_do,
            "How far to trust it": self.trust,
            "What to check first": self.to_check,
            "What this cannot tell": self.limits,
        }
        lines = [self.headline]
        for title, sentences in parts.items():
            if sentences:
                lines += ["", title, *(f"- {sentence}" for sentence in sentences)]
        return "\n".join(lines)


def shortened(name: Hashable) -> str:
    """Return a name as text, cut where it is very long."""
    text = str(name)
    return text if len(text) <= _MAX_LETTERS else f"{text[: _MAX_LETTERS - 1]}…"


def counted(n: int, thing: str) -> str:
    """Return a number and what it counts."""
    return f"1 {thing}" if n == 1 else f"{n:,} {thing}s"


def named(names: Sequence[Hashable]) -> str:
    """Return a list of names, of which the last may be left out."""
    shown = [f"“{shortened(name)}”" for name in names[:_MAX_NAMED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _advice(findings: Findings) -> tuple[str, tuple[str, ...]]:
    """Return the headline, and what to do."""
    chosen = findings.comparison.chosen
    if findings.n_missing == 0:
        said = "No cell is missing. The rest tells how well gaps would be filled."
        return "Nothing to fill", (said,)
    if findings.coverage.n + findings.certainty.n < _FEWEST_CELLS or chosen is None:
        said = (
            "Filling can neither be recommended nor advised against: look at each "
            "filled cell yourself, or leave the gaps."
        )
        return "Too little data to tell", (said,)
    if chosen == "mean":
        said = (
            "The columns say next to nothing about each other: no imputer was better "
            "than filling the mean or the most frequent level. Filled cells would add "
            "no knowledge; keep the gaps where what follows can take them."
        )
        return "Filling will not help", (said,)
    if chosen == "vae":
        said = (
            f"Fill with VAEImputer ({_errors(findings, 'vae')}; by means and the most "
            f"usual levels: {_errors(findings, 'mean')}). Nothing simpler is as good."
        )
        return "Fill it with VAEImputer", (said,)
    said = (
        f"Fill with {IMPUTERS.get(chosen, chosen)}: simpler than VAEImputer, and as "
        f"good ({_errors(findings, chosen)}; VAEImputer: {_errors(findings, 'vae')})."
    )
    more = "VAEImputer is still of use for intervals, draws and odd cells."
    return "Something simpler is as good", (said, more)


def _errors(findings: Findings, name: str) -> str:
    """Return the errors of an imputer in words."""
    if name not in findings.comparison.overall.index:
        return "not known"
    row, words = findings.comparison.overall.loc[name], []
    if pd.notna(row["numbers"]):
        words.append(f"numbers {row['numbers']:.2f} SD off")
    if pd.notna(row["levels"]):
        words.append(f"{row['levels']:.0%} of levels wrong")
    return ", ".join(words) or "not known"


def _exceptions(findings: Findings) -> tuple[str, ...]:
    """Name columns to leave, or to fill otherwise."""
    columns = findings.columns
    mostly = columns.index[columns["share_missing"] > _MOSTLY_MISSING]
    said = []
    if len(mostly):
        said.append(
            f"More than half is missing in {named(mostly)}: ask whether to use "
            f"{'it' if len(mostly) == 1 else 'them'} at all."
        )
    return tuple(said)


def _predictability(findings: Findings) -> tuple[str, ...]:
    """Sort the columns with gaps by how well they can be filled."""
    columns = findings.columns
    if findings.n_missing:
        columns = columns[columns["n_imputed"] > 0]
    said = {
        "well": "Well filled, half or more of the mean's squared error avoided: {}.",
        "partly": "Partly filled, better than by the mean but not by much: {}.",
        "hardly": "Hardly better than the mean: {}.",
        "untested": "Not tested, for too few observed cells: {}.",
    }
    groups = {x: columns.index[columns["predictable"] == x] for x in said}
    return tuple(
        said[x].format(named(names)) for x, names in groups.items() if len(names)
    )


def _certainty(findings: Findings) -> tuple[str, ...]:
    """Say whether intervals and probabilities can be believed."""
    said = []
    numbers, levels = findings.coverage, findings.certainty
    if numbers.n >= FEWEST_HIDDEN:
        words = (
            f"{numbers.share:.0%} of hidden numbers lay within their "
            f"{LEVEL:.0%} intervals ({_ends(numbers)} by chance)"
        )
        if _is_close(numbers):
            said.append(f"VAEImputer's intervals can be believed: {words}.")
        else:
            size = "narrow" if numbers.share < numbers.expected else "wide"
            said.append(f"VAEImputer's intervals are too {size}: {words}.")
    if levels.n >= FEWEST_HIDDEN:
        words = (
            f"it was {levels.expected:.0%} sure of hidden levels, of which "
            f"{levels.share:.0%} were right"
        )
        if _is_close(levels):
            said.append(f"Its probabilities can be believed: {words}.")
        else:
            how = "sure" if levels.share < levels.expected else "unsure"
            said.append(f"Its probabilities are too {how}: {words}.")
    return tuple(said)


def _is_close(share: Share) -> bool:
    return share.is_as_expected or abs(share.share - share.expected) <= _NEGLIGIBLE


def _ends(share: Share) -> str:
    return f"{share.low:.0%} to {share.high:.0%}"


def _to_check(findings: Findings) -> tuple[str, ...]:
    """Name what to look at before filling."""
    said = []
    n_odd = int(findings.columns["n_odd"].sum())
    if n_odd:
        some = findings.odd["column"].drop_duplicates().tolist()
        said.append(
            f"{counted(n_odd, 'observed cell')} in {named(some)} would hardly be there "
            "by chance: typing errors, or rows of another kind."
        )
    n_imputed = int(findings.columns["n_imputed"].sum())
    n_far = int(findings.columns["n_extrapolated"].sum())
    if n_far:
        said.append(
            f"{n_far:,} of {counted(n_imputed, 'imputed cell')} are extrapolated: "
            "beyond what was observed, at its edge, or from an odd or an empty row."
        )
    said += [f"Missing together: {named(group)}." for group in findings.groups[:3]]
    return tuple(said)


def _limits(findings: Findings) -> tuple[str, ...]:
    if findings.n_rows_seen == findings.n_rows:
        return ()
    return (
        f"Errors and cells are those of {findings.n_rows_seen:,} rows, drawn by chance "
        f"out of {findings.n_rows:,}.",
    )
