"""The levels of a column: found, put in order, and told from free text."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from vaeimpute._dtypes import infinity, python_value

Level = Any  # str, int, float or bool; for a category whatever its categories are

#: Text is free text if at least so many cells are observed and all of them differ, or
#: more than this share, and they are longer than so many characters or are more than so
#: many.
_FREE_TEXT_CELLS, _FREE_TEXT_SHARE = 20, 0.95
_FREE_TEXT_LENGTH, _FREE_TEXT_LEVELS = 16, 1_000


def distinct(observed: pd.Series, label: str) -> tuple[np.ndarray, list[Level]]:
    """Return for each cell the position of its level, and the levels found."""
    position, found = pd.factorize(observed)
    levels = [python_value(level) for level in found.tolist()]
    if any(isinstance(level, float) and np.isinf(level) for level in levels):
        raise infinity(label)
    return position, levels


def in_order(levels: Sequence[Level]) -> tuple[Level, ...]:
    """Sort levels, if they compare."""
    try:
        return tuple(sorted(levels))
    except TypeError:  # text and numbers do not compare
        return tuple(levels)


def is_free_text(position: np.ndarray, levels: Sequence[Level]) -> bool:
    """Say whether cells, as `distinct` returns them, hold text that hardly recurs."""
    n_cells, n_levels = len(position), len(levels)
    if n_cells < _FREE_TEXT_CELLS or n_levels <= _FREE_TEXT_SHARE * n_cells:
        return False
    if n_levels == n_cells:  # an identifier, however short
        return True
    lengths = np.array([len(str(level)) for level in levels])[position]
    return n_levels > _FREE_TEXT_LEVELS or np.median(lengths) > _FREE_TEXT_LENGTH


def sorts_of(levels: Sequence[Level]) -> set[str]:
    """Say of which sorts levels are: text, numbers, or other types."""
    is_number = [isinstance(level, numbers.Real) for level in levels]
    names = [type(level).__name__ for level in levels]  # of text, it is "str"
    return {
        "number" if number else name
        for number, name in zip(is_number, names, strict=True)
    }
