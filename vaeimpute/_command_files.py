"""What a command reads its table from and writes it to.

A file's ending or an option says its format. All that can be wrong with an output is
found before the time to fit, and it is written whole or not at all.
"""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from vaeimpute._atomic_files import replacing
from vaeimpute._files import (
    MISSING_TEXTS,
    ParquetTable,
    Table,
    TextTable,
    header_of,
    require_pyarrow,
)

_FORMAT_OF_ENDING = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_DELIMITER_OF_FORMAT = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True)
class CommandFile:
    """A file, or standard input or output, and the format of what it holds."""

    path: str
    format: str
    is_compressed: bool = False

    @classmethod
    def of(cls, path: str, format_option: str | None) -> CommandFile:
        """Return the file with the format that its ending or the option names."""
        stem, ending = os.path.splitext(path)
        is_compressed = ending == ".gz"
        if is_compressed:
            ending = os.path.splitext(stem)[1]
        known = _FORMAT_OF_ENDING.get(ending.lower())
        known = known or format_option or ("csv" if path == "-" else None)
        if known is None or (is_compressed and known == "parquet"):
            raise click.UsageError(
                f"{path!r}: unknown ending; known are {', '.join(_FORMAT_OF_ENDING)}, "
                ".csv.gz, .tsv.gz. For others, name the format by --format. Of "
                "spreadsheets, save a sheet as CSV."
            )
        return cls(path, known, is_compressed)

    @property
    def is_standard(self) -> bool:
        """Whether this is standard input or output."""
        return self.path == "-"

    def read_table(
        self,
        encoding: str,
        delimiter: str | None,
        decimal: str,
        missing_texts: Sequence[str],
    ) -> Table:
        """Read a table; errors begin with the file's name."""
        if missing_texts and self.format == "parquet":
            raise click.UsageError("--missing is for CSV and TSV files")
        try:
            content = self._read()
            if self.format == "parquet":
                return ParquetTable.parse(content)
            text = _decoded(content, encoding)
            if delimiter is None:
                delimiter = _DELIMITER_OF_FORMAT[self.format]
                _check_delimiter(header_of(text, delimiter))
            all_texts = MISSING_TEXTS | {x.strip() for x in missing_texts}
            return TextTable.parse(text, delimiter, all_texts, decimal)
        except (ValueError, EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.filename:
                raise  # it names the file
            label = "standard input" if self.is_standard else repr(self.path)
            raise ValueError(f"{label}: {error}") from error

    def write_table(self, table: Table, encoding: str, delimiter: str | None) -> None:
        """Write a table in the format of this file."""
        if self.format == "parquet":
            self.write(table.to_parquet())
            return
        text = table.to_text(delimiter or _DELIMITER_OF_FORMAT[self.format])
        self.write(text.encode(encoding))

    def write(self, content: bytes) -> None:
        """Write all bytes, compressed if need be."""
        if self.is_standard:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
            return
        if self.is_compressed:
            content = gzip.compress(content, mtime=0)
        path = Path(self.path)
        if path.exists() and not path.is_file():  # a device or a pipe
            path.write_bytes(content)
        else:
            with replacing(path.resolve()) as unfinished:  # a link stays a link
                unfinished.write_bytes(content)

    def check_writable(
        self, source: CommandFile, overwrite: bool | None = None
    ) -> None:
        """Refuse what cannot be written; None is no option to overwrite the source."""
        if self.is_standard:
            return
        path = Path(self.path)
        folder = path.resolve().parent
        if not folder.is_dir():
            raise FileNotFoundError(None, "the folder does not exist", str(folder))
        if path.is_dir():
            raise IsADirectoryError(None, "is a folder, expected a file", self.path)
        if path.exists() and not path.is_file():  # a device or a pipe
            return
        if not os.access(folder, os.W_OK):
            raise PermissionError(None, "no permission to write here", str(folder))
        if overwrite or source.is_standard or not path.exists():
            return
        if path.samefile(source.path):
            advice = "" if overwrite is None else " Add --overwrite if that is meant."
            raise click.UsageError(
                f"{self.path!r} is both IN and OUT: which fields were missing would be "
                f"lost.{advice}"
            )

    def _read(self) -> bytes:
        """Return all bytes, decompressed."""
        if self.is_standard:
            return sys.stdin.buffer.read()
        content = Path(self.path).read_bytes()
        return gzip.decompress(content) if self.is_compressed else content


def output_of(
    source: CommandFile, path: str | None, format_option: str | None, overwrite: bool
) -> CommandFile:
    """Return the file to write a table to, if all is well with it."""
    if path is None and not source.is_standard:
        raise click.UsageError("Missing option '-o': a file, or - for standard output")
    target = CommandFile.of("-" if path is None else path, format_option)
    if target.format == "parquet":
        require_pyarrow()
        if target.is_standard and sys.stdout.isatty():
            raise click.UsageError("a terminal shows no Parquet; name a file by -o")
    target.check_writable(source, overwrite)
    return target


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        raise ValueError(
            f"line {line}: the text is not {encoding}; name its encoding, such as "
            "--encoding latin-1"
        ) from None


def _check_delimiter(names: Sequence[str]) -> None:
    found = [x for x in ",;\t|" if len(names) == 1 and x in names[0]]
    if found:
        raise ValueError(
            f"the only column is {names[0]!r}; if {found[0]!r} stands between columns, "
            f"add --delimiter {found[0]!r}"
        )
