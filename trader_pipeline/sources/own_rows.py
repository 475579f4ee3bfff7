"""One file of a user's own, from its bytes to rows of raw.own_bars."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from trader_pipeline import durable
from trader_pipeline.errors import InputError
from trader_pipeline.schema import raw
from trader_pipeline.sources.own_basis import splits_after
from trader_pipeline.sources.spellings import NUMBERS, canonical_columns, parsed_days, parsed_numbers

SUFFIXES = frozenset({".csv", ".parquet", ".pq"})
AHEAD_OF_UTC = dt.timedelta(hours=14)
"""The farthest that a local date runs ahead of UTC."""

NO_CALENDAR_RULES = "calendar rules do not apply"
"""Told of every file that is not daily."""

JUDGED_GAPS = 5
"""Fewer gaps than this say nothing of a file's spacing: it counts as daily."""

DAILY_GAP_DAYS = 3
WEEKLY_GAP_DAYS = 10
"""Largest median gap between the dates of a daily and of a weekly file."""

_TIME_OF_DAY = re.compile(r"[T ](\d{2}:\d{2})")
_PLAIN_SYMBOL = re.compile(r"[a-z]{1,5}([.-][a-z]{1,2})?")

Days = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """A file as read: every column as it stands, and which of them mean what."""

    path: Path
    rows: pa.Table
    columns: dict[str, str]
    sha256: str

    @classmethod
    def read(cls, path: Path) -> "OwnFile":
        """Read one CSV or Parquet file; raise `InputError` when it is empty, malformed, or lacks a column."""
        rows = _from_csv(path) if path.suffix.lower() == ".csv" else _from_parquet(path)
        if not rows.num_rows:
            raise InputError(f"{path.name}: no rows; fill the file or take it out of the folder")
        return cls(path=path, rows=rows, columns=canonical_columns(rows.column_names, path.name), sha256=durable.sha256_file(path))


def files_in(path: Path) -> list[Path]:
    """Return the CSV and Parquet files of a folder, or the one file; raise `InputError` when there is none."""
    if not path.exists():
        raise InputError(f"{path} does not exist; name a folder of CSV or Parquet files")
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    found = [p for p in files if p.suffix.lower() in SUFFIXES]
    if not found:
        raise InputError(f"{path} holds no .csv or .parquet file; name a folder that does")
    return found


def same_schema(files: Sequence[OwnFile]) -> None:
    """Raise `InputError` unless all files are of one kind: long with a ticker column, or one file a ticker."""
    long = [file.path.name for file in files if "ticker" in file.columns]
    single = [file.path.name for file in files if "ticker" not in file.columns]
    if long and single:
        raise InputError(
            f"two schemas in one folder: {long[0]} has a ticker column, {single[0]} has none; move one kind to a folder of its own"
        )


def rows_of(file: OwnFile, as_of: dt.datetime) -> tuple[pa.Table, list[str]]:
    """Return the file's rows of raw.own_bars with role stock, and what was odd. Raises `InputError` for a date after `as_of`."""
    name = file.path.name
    texts = _texts(file.rows[file.columns["date"]])
    days = parsed_days(texts, name)
    _refuse_future(days, as_of, name)
    columns: dict[str, pa.Array] = {"ticker": _tickers(file), "date": pa.array(days)}
    said = [f"intraday bars: {NO_CALENDAR_RULES}"] if _is_intraday(texts, days) else []
    for number in NUMBERS:
        if number in file.columns:
            columns[number], odd = parsed_numbers(file.rows[file.columns[number]], number)
            said += [odd] if odd else []
    columns["splits_after"] = _splits_after(columns, file.rows.num_rows)
    constants = {
        "role": "stock",
        "file": name,
        "fetched_at": pa.scalar(as_of, pa.timestamp("us", tz="UTC")),
        "request_sha256": file.sha256,
    }
    columns |= {key: pa.repeat(value, file.rows.num_rows) for key, value in constants.items()}
    return raw.OWN_BARS.conform(pa.table(columns), source=f"own, {name}"), said


def slow_spacing(days: Days) -> str | None:
    """Return weekly or monthly where one ticker's dates lie that far apart, None for daily ones."""
    gaps_days = np.diff(np.unique(days)).astype(int)
    gap_days = float(np.median(gaps_days)) if len(gaps_days) >= JUDGED_GAPS else 1.0
    return None if gap_days <= DAILY_GAP_DAYS else "weekly" if gap_days <= WEEKLY_GAP_DAYS else "monthly"


def _is_intraday(texts: list[str | None], days: Days) -> bool:
    """Say whether the dates carry several times of day and fall on the same days."""
    times = {match[1] for text in set(texts) if (match := _TIME_OF_DAY.search(text or ""))}
    return len(times) > 1 and len(np.unique(days)) < len(days)


def _splits_after(columns: dict[str, pa.Array], count: int) -> pa.Array:
    """Return `splits_after` of each row, ticker by ticker."""
    after_R = np.ones(count)
    if "split_ratio" in columns:
        ticker_R = columns["ticker"].dictionary_encode().indices.to_numpy(zero_copy_only=False)
        day_R, close_R, split_R = (columns[name].to_numpy(zero_copy_only=False) for name in ("date", "close", "split_ratio"))
        order_R = np.lexsort((day_R, ticker_R))
        for every in np.split(order_R, np.flatnonzero(np.diff(ticker_R[order_R])) + 1):
            days, first = np.unique(day_R[every], return_index=True)
            mine = every[first]
            factor_T = splits_after(days, close_R[mine], split_R[mine])
            after_R[every] = factor_T[np.searchsorted(days, day_R[every])]
    return pa.array(after_R)


def _tickers(file: OwnFile) -> pa.Array:
    """Return the ticker column, or the file's name for every row. A plain symbol in lower case becomes upper case."""
    if "ticker" not in file.columns:
        return pa.repeat(_symbol(file.path.stem), file.rows.num_rows)
    texts = _texts(file.rows[file.columns["ticker"]])
    if not all(text and text.strip() for text in texts):
        raise InputError(f"{file.path.name}: rows without a ticker; fill the column {file.columns['ticker']!r}")
    symbols = {text: _symbol(text or "") for text in set(texts)}
    return pa.array([symbols[text] for text in texts], pa.string())


def _symbol(text: str) -> str:
    text = text.strip()
    return text.upper() if _PLAIN_SYMBOL.fullmatch(text) else text


def _texts(values: pa.ChunkedArray) -> list[str | None]:
    texts: list[str | None] = values.cast(pa.string()).to_pylist()
    return texts


def _refuse_future(days: Days, as_of: dt.datetime, name: str) -> None:
    limit = np.datetime64((as_of + AHEAD_OF_UTC).date())
    if (days > limit).any():
        row = int(np.flatnonzero(days > limit)[0])
        raise InputError(f"{name}: row {row + 1} is dated {days[row]}, after {as_of:%Y-%m-%d}; mend or remove the date")


def _from_csv(path: Path) -> pa.Table:
    if not path.stat().st_size:
        raise InputError(f"{path.name}: the file is empty; fill it or take it out of the folder")
    try:
        names = pacsv.open_csv(path).schema.names
        options = pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        return pacsv.read_csv(path, convert_options=options)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: {error}; write it as comma-separated UTF-8 with one header line") from error


def _from_parquet(path: Path) -> pa.Table:
    try:
        return pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path.name}: {error}; it is no readable Parquet file, write it again") from error
