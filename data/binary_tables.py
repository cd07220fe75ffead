"""Tables of Parquet files and Excel workbooks.

In comes a file; out comes its table, or the records of its sheets. A file that would unpack to far more than it seems
is refused before it does.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from data.common.errors import ConfigurationError
from data.common.text import one_line
from data.table_types import Row, Table, class_name
from data.wide_tables import MANY, may_have_a_role, notes_on

if TYPE_CHECKING:
    import pyarrow

MOST_BYTES = 1_000_000_000  # unpacked
_SIDES = frozenset({"train", "test", "validation", "valid", "dev", "eval"})


class Sheet(NamedTuple):
    """The records of one sheet of a workbook.

    Attributes:
        name: The sheet's.
        split: The split that it is, where the workbook has a sheet for each; else "".
        records: Its rows that are not blank, each with its place.
    """

    name: str
    split: str
    records: list[tuple[str, list[str]]]


def read_parquet(path: Path, named: Collection[str]) -> Table:
    """Return the table of a Parquet file; a class that is a number there has the name that the file gives it.

    Raises:
        ConfigurationError: It is no Parquet file, or too large.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        kept = _kept(file.schema_arrow, named)
        groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
        _check_size(path, sum(_unpacked(group, kept) for group in groups))
        found = file.read(columns=kept).to_pylist()
    except (pyarrow.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's, and not that of the format
            raise
        raise ConfigurationError(f"{path} is no Parquet file: {one_line(error)}") from None
    names = _class_names(file.schema_arrow.metadata or {})
    rows = [(f"row {number}", _named(row, names)) for number, row in enumerate(found, start=1)]
    return Table("", tuple(kept), rows, [], notes_on(len(file.schema_arrow.names) - len(kept)))


def _unpacked(group: Any, kept: Collection[str]) -> int:
    """Return how many bytes the columns that are read have, unpacked, in one part of a file."""
    columns = map(group.column, range(group.num_columns))
    return sum(one.total_uncompressed_size for one in columns if one.path_in_schema.split(".")[0] in kept)


def _check_size(path: Path, size: int) -> None:
    if size > MOST_BYTES:
        raise ConfigurationError(f"{path} would unpack to {size / 1e9:.1f} GB; leave out what is no text or label")


def _kept(schema: "pyarrow.Schema", named: Collection[str]) -> list[str]:
    """Return the columns to read: of very many, those of texts and lists, and those whose names say what they are."""
    from pyarrow import types

    def is_number(kind: "pyarrow.DataType") -> bool:
        return bool(types.is_integer(kind) or types.is_floating(kind))

    names: list[str] = schema.names
    if len(names) <= MANY:
        return names
    return [name for name in names if may_have_a_role(name, named) or not is_number(schema.field(name).type)]


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Return the class names of each column of numbers that has some, as the datasets library writes them."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {name: list(map(str, about["names"])) for name, about in features.items() if "names" in about}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _named(row: Row, names: Mapping[str, list[str]]) -> Row:
    """Return a row with the names of its classes."""
    return {column: class_name(cell, names[column]) if column in names else cell for column, cell in row.items()}


def read_excel(path: Path) -> list[Sheet]:
    """Return the sheets of a workbook that are read: those called train and test, or the first that has rows.

    Raises:
        ConfigurationError: It is no workbook, is locked by a password, or holds no rows.
    """
    import zlib
    from xml.etree.ElementTree import ParseError
    from zipfile import BadZipFile, ZipFile

    from openpyxl import load_workbook

    # What damaged archives and sheets raise; RuntimeError: a part of an archive is locked, or packed in an unknown way.
    faults = (BadZipFile, KeyError, ValueError, TypeError, IndexError, AttributeError, EOFError, ParseError)
    try:
        with ZipFile(path) as archive:
            _check_size(path, sum(part.file_size for part in archive.infolist()))
        sheets = load_workbook(path, read_only=True, data_only=True).worksheets
        sides = [sheet for sheet in sheets if sheet.title.casefold() in _SIDES]
        if any(sheet.title.casefold() == "train" for sheet in sides):
            return [Sheet(sheet.title, sheet.title.casefold(), _records(sheet)) for sheet in sides]
        for sheet in sheets:
            if records := _records(sheet):
                return [Sheet(sheet.title, "", records)]
    except (*faults, RuntimeError, zlib.error) as error:
        locked = " (one with a password cannot be read)" if isinstance(error, BadZipFile) else ""
        raise ConfigurationError(f"{path} is no Excel workbook: {one_line(error)}{locked}") from None
    raise ConfigurationError(f"{path} holds no rows")


def _records(sheet: Any) -> list[tuple[str, list[str]]]:
    return [
        (f"row {number}", ["" if cell is None else _cell(cell) for cell in cells])
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1)
        if any(cell is not None for cell in cells)
    ]


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False).strip('"')
