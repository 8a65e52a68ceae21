"""Tables of CSV, TSV and Parquet files, written as they were read.

A table hands out a DataFrame in which each column has a dtype, takes a DataFrame
with filled cells, and puts these where fields were missing. All other characters of
a text file stay what they were; a Parquet file keeps its schema.
"""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import pyarrow as pa

MISSING_TEXTS = frozenset(("", "NA", "N/A", "NaN", "nan", "NULL", "null", "<NA>"))

# No leading zeros: 007 is a name, not the number 7. Infinity is a number, so that
# the imputer gets to say that it takes none.
_NUMBER = re.compile(
    r"[+-]?((?!0[0-9])([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf(inity)?)",
    re.IGNORECASE,
)
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
# Dates in the forms that are read, and in those of which nobody knows which part is
# the month.
_DATE_LIKE = re.compile(
    r"([0-9]{4}([/.-])[0-9]{1,2}\2[0-9]{1,2}|[0-9]{1,2}([/.-])[0-9]{1,2}\3[0-9]{2,4})"
    r"([ T].*)?"
)
_UTC_OFFSET = re.compile(r"(?<=[0-9])(Z|[+-][0-9]{2}:?[0-9]{2})$")
_DATE_PATTERNS = [
    "%Y-%m",
    *(
        f"{date}{clock}"
        for date in ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y")
        for clock in ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S")
    ),
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
]


class Kind(Protocol):
    """How the fields of a column are read as values and written again."""

    @classmethod
    def of(cls, observed: Sequence[str]) -> Kind | None:
        """Return the kind if all observed fields are of it."""

    def values(self, fields: Sequence[str | None]) -> Any:
        """Return an array of values; None is missing."""

    def field(self, value: Any) -> str:
        """Return the text of a filled value."""


@dataclass(frozen=True)
class Numbers:
    """Numbers with at least ``fewest`` and at most ``most`` decimals."""

    fewest: int
    most: int
    is_whole: bool
    is_scientific: bool
    decimal: str = "."

    @classmethod
    def of(cls, observed: Sequence[str], decimal: str = ".") -> Numbers | None:
        """Return the kind if all fields are numbers with this decimal mark."""
        fields = [_with_point(x, decimal) for x in observed]
        if not all(map(_NUMBER.fullmatch, fields)):
            return None
        finite = [Decimal(x) for x in fields if math.isfinite(float(x))]
        decimals = [max(0, -x.as_tuple().exponent) for x in finite] or [0]
        return cls(
            min(decimals),
            max(decimals),
            is_whole=all(map(_WHOLE_NUMBER.fullmatch, fields)),
            is_scientific=any("e" in x.lower() for x in fields),
            decimal=decimal,
        )

    def values(self, fields: Sequence[str | None]) -> Any:
        """Return integers if all fields are, else float64."""
        texts = [None if x is None else _with_point(x, self.decimal) for x in fields]
        if self.is_whole:
            try:
                whole = [None if x is None else int(x) for x in texts]
                return pd.array(whole, dtype="Int64")
            except (OverflowError, ValueError):  # beyond 64 bits, or 4,300 digits
                pass
        return np.array([np.nan if x is None else float(x) for x in texts])

    def field(self, value: Any) -> str:
        """Return the number rounded to the column's decimals."""
        rounded = round(float(value), self.most) + 0.0  # no negative zero
        if self.is_scientific:
            digits = repr(rounded).removesuffix(".0")
        else:
            digits = np.format_float_positional(rounded, min_digits=self.fewest)
        return digits.removesuffix(".").replace(".", self.decimal)


@dataclass(frozen=True)
class Dates:
    """Dates or date-times in one format.

    ``offsets`` are the distances from UTC that the fields end with; none for local
    times. Where there are several, filled times are UTC.
    """

    pattern: str
    offsets: frozenset[str]
    n_fraction_digits: int

    @classmethod
    def of(cls, observed: Sequence[str]) -> Dates | None:
        """Return the kind if all fields are dates in one known format."""
        fields = [x.strip() for x in observed]
        if not all(x[:2].isdigit() for x in fields):
            return None
        found = [_UTC_OFFSET.search(x) for x in fields if ":" in x]
        offsets = frozenset(x[0] for x in found if x)
        fractions = [_UTC_OFFSET.sub("", x).rpartition(".")[2] for x in fields]
        for pattern in _DATE_PATTERNS:
            dates = cls(pattern, offsets, max(map(len, fractions)))
            try:
                dates.values(fields[:1])  # most patterns fail here, at no cost
                dates.values(fields)
            except ValueError:
                continue
            return dates
        return None

    def values(self, fields: Sequence[str | None]) -> Any:
        """Return datetime64, with a time zone if fields have offsets from UTC."""
        texts = pd.Series([None if x is None else x.strip() for x in fields])
        if not self.offsets:
            return pd.to_datetime(texts, format=self.pattern).array
        dates = pd.to_datetime(texts, format=f"{self.pattern}%z", utc=True)
        zone = pd.Timestamp(f"2000-01-01T00:00{self._offset}").tz
        return dates.dt.tz_convert(zone).array

    def field(self, value: Any) -> str:
        """Return the date in the column's format."""
        text = value.strftime(self.pattern)
        if self.pattern.endswith("%f"):  # six digits
            text = text[:-6] + text[-6:][: self.n_fraction_digits]
        return text + self._offset

    @property
    def _offset(self) -> str:
        if len(self.offsets) < 2:
            return "".join(self.offsets)
        return "Z" if "Z" in self.offsets else "+00:00"


class Words:
    """Anything else: each text is a level of its own."""

    @classmethod
    def of(cls, observed: Sequence[str]) -> Words:
        """Return the kind."""
        return cls()

    def values(self, fields: Sequence[str | None]) -> Any:
        """Return the texts."""
        return np.array(fields, dtype=object)

    def field(self, value: Any) -> str:
        """Return the text."""
        return value


@dataclass(frozen=True)
class TextColumn:
    """A column of a text file.

    ``raw`` are the fields as they stand in the file, quotes and all.
    ``missing_texts`` mark a missing field, whatever space is around them, ``decimal``
    stands before a number's decimals. ``chosen`` is the kind where it is not to be
    read off the fields.
    """

    name: str
    raw: Sequence[str]
    missing_texts: frozenset[str]
    decimal: str = "."
    chosen: Kind | None = None

    @cached_property
    def _coded(self) -> tuple[np.ndarray, list[str | None]]:
        """The position of each field's text, and the texts; None if missing."""
        contents = np.array(list(map(_content, self.raw)), dtype=object)
        codes, texts = pd.factorize(contents)
        return codes, [None if x.strip() in self.missing_texts else x for x in texts]

    @cached_property
    def observed(self) -> list[str]:
        """The different texts of observed fields, in order of appearance."""
        return [x for x in self._coded[1] if x is not None]

    @cached_property
    def kind(self) -> Kind:
        """How fields are read and written."""
        if self.chosen is not None:
            return self.chosen
        # Every field of an empty column is a number and a date and what not.
        if not self.observed:
            return Words()
        numbers = Numbers.of(self.observed, self.decimal)
        return numbers or Dates.of(self.observed) or Words()

    @property
    def values(self) -> pd.Series:
        """The fields' values, in a dtype that knows missing ones."""
        codes, texts = self._coded
        return pd.Series(self.kind.values(texts).take(codes))

    @property
    def doubt(self) -> tuple[str, str] | None:
        """Why the column might be no text: "mark", "date" or "word", and a field."""
        if self.chosen is not None or not isinstance(self.kind, Words):
            return None
        words = [x for x in self.observed if not _is_number(x, self.decimal)]
        other_mark = {".": ",", ",": "."}[self.decimal]
        if words and all(_is_number(x, other_mark) for x in words):
            return "mark", words[0]
        if words and all(_DATE_LIKE.fullmatch(x.strip()) for x in words):
            return "date", words[0]
        is_odd = 0 < len(words) <= 0.1 * len(self.observed)
        return ("word", words[0]) if is_odd else None

    def filled(self, values: pd.Series, delimiter: str) -> TextColumn:
        """Return the column with values in its missing fields."""
        codes, texts = self._coded
        missing = np.array([x is None for x in texts])[codes]
        raw = list(self.raw)
        # Where all observed fields stand in quotes, so does what is filled.
        is_quoted = all(raw[row].startswith('"') for row in np.flatnonzero(~missing))
        for row in np.flatnonzero(missing & values.notna().to_numpy()):
            text = self.kind.field(values.iat[row])
            raw[row] = _quoted(text) if is_quoted else _raw(text, delimiter)
        return replace(self, raw=raw, chosen=self.kind)


@dataclass(frozen=True)
class TextTable:
    """The table of a CSV or TSV file, and what it takes to write the file again.

    ``start`` is a byte order mark or nothing. ``ends`` are the line ends of header
    and rows, with the blank lines that follow them.
    """

    start: str
    header: Sequence[str]
    columns: Sequence[TextColumn]
    ends: Sequence[str]
    delimiter: str

    @classmethod
    def parse(
        cls,
        text: str,
        delimiter: str,
        missing_texts: frozenset[str] = MISSING_TEXTS,
        decimal: str = ".",
    ) -> TextTable:
        """Read the text of a file.

        Raises
        ------
        ValueError
            That says the line, unless all rows have the fields of a header with
            different names.
        """
        start = text[: text.startswith("\ufeff")]
        text = text.removeprefix(start)
        records = _records(text, delimiter)
        _, header, end = next(records, (0, [], ""))
        if not header:
            raise ValueError("got an empty file, expected a header and rows")
        names = list(map(_content, header))
        _check_names(names)
        ends = [end]
        rows = list(_rows(records, len(header), ends, text))
        if not rows:
            raise ValueError("got a header and no rows, expected at least one row")
        columns = [
            TextColumn(name, raw, missing_texts, decimal)
            for name, raw in zip(names, zip(*rows, strict=True), strict=True)
        ]
        return cls(start, header, columns, ends, delimiter)

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [column.name for column in self.columns]

    @property
    def decimals(self) -> Mapping[str, int]:
        """How many decimals the filled numbers of columns may have."""
        kinds = {column.name: column.kind for column in self.columns}
        return {name: x.most for name, x in kinds.items() if isinstance(x, Numbers)}

    @property
    def doubts(self) -> Mapping[str, tuple[str, str]]:
        """Columns of text that might be something else, with reason and field."""
        found = {column.name: column.doubt for column in self.columns}
        return {name: doubt for name, doubt in found.items() if doubt is not None}

    def frame(self) -> pd.DataFrame:
        """Return the values."""
        return pd.DataFrame({column.name: column.values for column in self.columns})

    def with_words(self, names: Sequence[str]) -> TextTable:
        """Return the table with some columns read as words whatever they hold."""
        columns = [
            replace(column, chosen=Words()) if column.name in names else column
            for column in self.columns
        ]
        return replace(self, columns=columns)

    def filled(self, frame: pd.DataFrame) -> TextTable:
        """Return the table with the missing fields of some columns filled."""
        columns = [
            column.filled(frame[column.name], self.delimiter)
            if column.name in frame
            else column
            for column in self.columns
        ]
        return replace(self, columns=columns)

    def to_text(self, delimiter: str | None = None) -> str:
        """Return the text of a file."""
        rows = [self.header, *zip(*(x.raw for x in self.columns), strict=True)]
        if delimiter not in (None, self.delimiter):
            rows = [[_raw(_content(x), delimiter) for x in row] for row in rows]
        lines = map((delimiter or self.delimiter).join, rows)
        return self.start + "".join(map("".join, zip(lines, self.ends, strict=True)))

    def to_parquet(self) -> bytes:
        """Return a Parquet file of the values."""
        require_pyarrow()
        return self.frame().to_parquet(index=False)


@dataclass(frozen=True)
class ParquetTable:
    """The table of a Parquet file."""

    table: pa.Table

    decimals: ClassVar[Mapping[str, int]] = {}
    doubts: ClassVar[Mapping[str, tuple[str, str]]] = {}

    @classmethod
    def parse(cls, content: bytes) -> ParquetTable:
        """Read the bytes of a file.

        Raises
        ------
        ValueError
            If it is none, has no rows, or columns without different names.
        """
        require_pyarrow()
        from pyarrow import parquet

        table = cls(parquet.read_table(io.BytesIO(content)))
        _check_names(table.names)
        if table.table.num_rows == 0:
            raise ValueError("got no rows, expected at least one row")
        return table

    @property
    def names(self) -> list[str]:
        """The columns' names, without those of a pandas index."""
        metadata = self.table.schema.pandas_metadata or {}
        # An index that is a range is no column and has no name here.
        index = [x for x in metadata.get("index_columns", []) if isinstance(x, str)]
        return [x for x in self.table.column_names if x not in index]

    def frame(self) -> pd.DataFrame:
        """Return the values in dtypes that hold them exactly."""
        return to_pandas(self.table.select(self.names))

    def with_words(self, names: Sequence[str]) -> ParquetTable:
        """Return the table as it is: dtypes say what columns hold."""
        return self

    def filled(self, frame: pd.DataFrame) -> ParquetTable:
        """Return the table with some columns replaced."""
        import pyarrow as pa

        table = self.table
        for name in frame:
            position = table.schema.get_field_index(name)
            column = table.schema.field(position)
            cells = pa.array(frame[name], type=column.type, from_pandas=True)
            table = table.set_column(position, column, cells)
        return ParquetTable(table)

    def to_text(self, delimiter: str) -> str:
        """Return the text of a file, with the columns of a pandas index."""
        frame = to_pandas(self.table)
        return frame.to_csv(index=False, sep=delimiter, lineterminator="\n")

    def to_parquet(self) -> bytes:
        """Return a Parquet file with the schema of the one that was read."""
        from pyarrow import parquet

        buffer = io.BytesIO()
        parquet.write_table(self.table, buffer)
        return buffer.getvalue()


Table = TextTable | ParquetTable


def header_of(text: str, delimiter: str) -> list[str]:
    """Return the names in the header of a text file, and read no further."""
    records = _records(text.removeprefix("\ufeff"), delimiter)
    _, header, _ = next(records, (0, [], ""))
    return list(map(_content, header))


def _with_point(field: str, decimal: str) -> str:
    """Return a number as Python reads it; with another mark it is no number."""
    # Strings count more as space than numbers do: "\x1e", for one.
    swapped = str.maketrans(f".{decimal}", f"{decimal}.")
    return field.strip().translate(swapped)


def _is_number(field: str, decimal: str) -> bool:
    return _NUMBER.fullmatch(_with_point(field, decimal)) is not None


def _content(raw: str) -> str:
    """Return what a raw field says."""
    return raw.rstrip(" ")[1:-1].replace('""', '"') if raw.startswith('"') else raw


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _raw(text: str, delimiter: str) -> str:
    """Return text as a raw field, in quotes if it needs them."""
    needs_quotes = text.startswith('"') or any(x in text for x in (delimiter, *"\r\n"))
    return _quoted(text) if needs_quotes else text


def _rows(
    records: Iterator[tuple[int, list[str], str]],
    width: int,
    ends: list[str],
    text: str,
) -> Iterator[list[str]]:
    """Yield the raw fields of each row, and append its line end to ends."""
    for position, fields, end in records:
        if fields == [""] and width > 1:  # a blank line is no row
            ends[-1] += end
        elif len(fields) == width:
            ends.append(end)
            yield fields
        else:
            raise ValueError(
                f"line {_line(text, position)}: expected {width} fields as in the "
                f"header, got {len(fields)}"
            )


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Yield where each record starts, its raw fields and its line end."""
    separator = re.escape(delimiter)
    token = re.compile(
        rf'("[^"]*+(?:""[^"]*+)*+" *+|(?!")[^{separator}\r\n]*+)'
        rf"({separator}|\r\n|[\r\n]|\Z)"
    )
    start, position, fields = 0, 0, []
    for match in token.finditer(text):
        if match.start() != position:
            break
        position = match.end()
        fields.append(match[1])
        if match[2] != delimiter:
            if match[2] or fields != [""]:  # more than the end of the text
                yield start, fields, match[2]
            start, fields = position, []
    if position != len(text):
        raise ValueError(
            f"line {_line(text, position)}: a quoted field is never closed, or text "
            "follows its closing quote (inside quotes, a quote is written twice)"
        )


def _line(text: str, position: int) -> int:
    return 1 + len(re.findall(r"\r\n|\r|\n", text[:position]))


def _check_names(names: Sequence[str]) -> None:
    for position, name in enumerate(names, 1):
        if not name.strip():
            raise ValueError(f"the header has no name for column {position}")
    for name, count in Counter(names).most_common(1):
        if count > 1:
            raise ValueError(f"the header has the name {name!r} {count} times")


def require_pyarrow() -> None:
    """Say how to install what reads Parquet files, where it is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise ImportError(
            "Parquet files need pyarrow: pip install 'vaeimpute[parquet]'"
        ) from None


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Return a frame of dtypes that hold the values exactly."""
    return table.to_pandas(types_mapper=_exact_dtype, ignore_metadata=True)


def _exact_dtype(arrow_type: pa.DataType) -> pd.ArrowDtype | None:
    """Return a dtype for the types that NumPy lacks, or lacks with missing cells."""
    from pyarrow import types

    lacking = types.is_integer, types.is_boolean, types.is_date, types.is_decimal
    return pd.ArrowDtype(arrow_type) if any(x(arrow_type) for x in lacking) else None
