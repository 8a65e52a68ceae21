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
#: Shares that surely differ by less can be believed.
_NEGLIGIBLE = 0.05
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
    "Where cells are missing because of what would stand in them, errors can be far "
    "larger, and no table can show whether that is so."
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
            (*to_do, *_mostly_missing(findings)),
            (*_predictability(findings), *_calibration(findings)),
            _to_check(findings),
            (*_limits(findings), _CAVEAT),
        )

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The sentences, by what they are on, where there are any."""
        parts = {
            "What to do": self.to_do,
            "How far to trust it": self.trust,
            "What to check first": self.to_check,
            "What this cannot tell": self.limits,
        }
        return {title: said for title, said in parts.items() if said}

    def __str__(self) -> str:
        lines = [self.headline]
        for title, sentences in self.parts.items():
            lines += ["", title, *(f"- {sentence}" for sentence in sentences)]
        return "\n".join(lines)


def shortened(name: Hashable, n_letters: int = _MAX_LETTERS) -> str:
    """Return a name or a cell as text, cut where it is very long."""
    text = str(name)
    return text if len(text) <= n_letters else f"{text[: n_letters - 1]}…"


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
    otherwise = _otherwise(findings)
    if chosen == "mean":
        said = (
            "Over all columns, no imputer was clearly better than filling the mean or "
            "the most frequent level. Filled cells would add next to no knowledge: "
            "keep the gaps where what follows can take them."
        )
        where = "helps in some columns only" if otherwise else "will hardly help"
        return f"Filling {where}", (said, *otherwise)
    if chosen == "vae":
        said = (
            f"Fill with VAEImputer ({_errors(findings, 'vae')}; by means and the most "
            f"usual levels: {_errors(findings, 'mean')}). Nothing simpler is as good."
        )
        return "Fill it with VAEImputer", (said,)
    said = (
        f"Fill with {IMPUTERS[chosen]}: simpler than VAEImputer, and as "
        f"good ({_errors(findings, chosen)}; VAEImputer: {_errors(findings, 'vae')})."
    )
    more = "VAEImputer also gives intervals, draws and odd cells."
    return "Something simpler is as good", (said, *otherwise, more)


def _errors(findings: Findings, name: str) -> str:
    """Return the errors of an imputer in words."""
    row, words = findings.comparison.overall.loc[name], []
    if pd.notna(row["numbers"]):
        words.append(f"numbers {row['numbers']:.2f} SD off")
    if pd.notna(row["levels"]):
        words.append(f"{row['levels']:.0%} of levels wrong")
    return ", ".join(words) or "not known"


def _otherwise(findings: Findings) -> tuple[str, ...]:
    """Name columns with gaps that are better filled by more than what is advised."""
    columns, names = findings.columns, findings.comparison.overall.index
    more_complex = names[names.get_loc(findings.comparison.chosen) + 1 :]
    has_gaps = columns["n_imputed"] > 0
    better = columns.index[columns["enough"].isin(more_complex) & has_gaps]
    if better.empty:
        return ()
    said = f"In {named(better)} a more complex imputer is clearly better"
    return (f"{said}: the table of columns says which is enough.",)


def _mostly_missing(findings: Findings) -> tuple[str, ...]:
    """Name columns that may be better left out."""
    columns = findings.columns
    mostly = columns.index[columns["share_missing"] > _MOSTLY_MISSING]
    if mostly.empty:
        return ()
    them = "it" if len(mostly) == 1 else "them"
    said = f"More than half is missing in {named(mostly)}"
    return (f"{said}: ask whether to use {them} at all.",)


def _predictability(findings: Findings) -> tuple[str, ...]:
    """Sort the columns with gaps by how well they can be filled."""
    columns = findings.columns
    if findings.n_missing:
        columns = columns[columns["n_imputed"] > 0]
    said = {
        "well": (
            "Well filled, half or more of the mean's squared error or of its wrong "
            "levels avoided"
        ),
        "partly": "Partly filled, better than by the mean but not by much",
        "hardly": "No better than the mean, or hardly",
        "untested": f"Not tested, with fewer than {FEWEST_HIDDEN} hidden cells",
    }
    groups = {x: columns.index[columns["predictable"] == x] for x in said}
    return tuple(
        f"{said[x]}: {named(names)}." for x, names in groups.items() if len(names)
    )


def _calibration(findings: Findings) -> tuple[str, ...]:
    """Say whether intervals and probabilities can be believed."""
    numbers, levels = findings.coverage, findings.certainty
    of_numbers = (
        f"{numbers.share:.0%} of hidden numbers lay within their {LEVEL:.0%} intervals"
    )
    of_levels = (
        f"{levels.share:.0%} of hidden levels were right, where {levels.expected:.0%} "
        "was said"
    )
    return (
        *_judged("VAEImputer's intervals", numbers, ("narrow", "wide"), of_numbers),
        *_judged("VAEImputer's probabilities", levels, ("sure", "unsure"), of_levels),
    )


def _judged(
    what: str, share: Share, faults: tuple[str, str], words: str
) -> tuple[str, ...]:
    """Say whether a share is what it should be; faults: what too few and too many are.

    That chance may be all that sets it off is not enough to believe it: with few cells
    it always may be.
    """
    if share.n < FEWEST_HIDDEN:
        return ()
    farthest = max(share.expected - share.low, share.high - share.expected)
    verdict = f"{what} are too {faults[int(share.share > share.expected)]}"
    if farthest <= _NEGLIGIBLE:
        verdict = f"{what} can be believed"
    elif share.is_as_expected:
        verdict = f"Nothing speaks against {what}, but cells are too few to be sure"
    return (f"{verdict}: {words} (95% interval: {share.low:.0%} to {share.high:.0%}).",)


def _to_check(findings: Findings) -> tuple[str, ...]:
    """Name what to look at before filling."""
    said = []
    n_odd = int(findings.columns["n_odd"].sum())
    if n_odd:
        some = findings.columns.index[findings.columns["n_odd"] > 0]
        said.append(
            f"{counted(n_odd, 'observed cell')} in {named(some)} would hardly be there "
            "by chance, if the model is right: typing errors, or rows of another kind."
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
