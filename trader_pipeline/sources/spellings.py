"""How a user's files spell their columns, and how they write days and numbers."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa

from trader_pipeline.errors import InputError

SPELLINGS: dict[str, tuple[str, ...]] = {
    "ticker": ("ticker", "symbol", "sym", "code", "instrument"),
    "date": ("date", "datetime", "timestamp", "time", "day", "session", "tradedate", "tradingday", "indexlevel0", "index"),
    "open": ("open", "o", "openprice", "priceopen", "1open"),
    "high": ("high", "h", "highprice", "pricehigh", "2high"),
    "low": ("low", "l", "lowprice", "pricelow", "3low"),
    "close": ("close", "c", "closeprice", "priceclose", "closelast", "last", "4close"),
    "volume": ("volume", "vol", "v", "shares", "volumeshares", "sharevolume", "5volume"),
    "dividend": ("dividend", "dividends", "divcash", "cashdividend"),
    "split_ratio": ("stocksplits", "stocksplit", "split", "splits", "splitratio", "splitfactor"),
    "adj_close": ("adjclose", "adjustedclose", "closeadj", "closeadjusted"),
    "capital_gain": ("capitalgains", "capitalgain"),
}
"""Canonical name to spellings, lower case without punctuation. Only checks look at an adjusted close: we adjust ourselves."""

REQUIRED = ("date", "open", "high", "low", "close", "volume")
NUMBERS = ("open", "high", "low", "close", "volume", "dividend", "split_ratio", "adj_close", "capital_gain")
_BLANK = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
_CANONICAL = {spelling: name for name, spellings in SPELLINGS.items() for spelling in spellings}


def canonical_columns(columns: list[str], file: str) -> dict[str, str]:
    """Return canonical name to the file's own column; raise `InputError` where a column is missing or named twice."""
    found: dict[str, str] = {}
    for column in columns:
        name = _CANONICAL.get(re.sub(r"[^a-z0-9]", "", column.lower()))
        if name is None:
            continue
        if name in found:
            raise InputError(f"{file}: the columns {found[name]!r} and {column!r} both mean {name}; keep one")
        found[name] = column
    if missing := [name for name in REQUIRED if name not in found]:
        raise InputError(
            f"{file}: no column for {missing}, only {columns}; rename or add them (files hold bars: date, open, high, low, close, volume)"
        )
    return found


def parsed_numbers(values: pa.ChunkedArray, name: str) -> tuple[pa.Array, str | None]:
    """Return float64 values, null where a cell is blank or no number, and what was wrong with the latter.

    An infinite price or volume stays, for the rules to judge; of dividends, splits and adjusted closes it is no number.
    """
    if not pa.types.is_string(values.type):
        return values.cast(pa.float64()).combine_chunks(), None
    text = pd.Series(values.to_pylist(), dtype=object).map(lambda cell: "" if cell is None else cell.strip())
    blank = text.str.lower().isin(_BLANK)
    numbers = pd.to_numeric(text.where(~blank), errors="coerce").astype(float)
    numbers = numbers.where(np.isfinite(numbers) | (name in REQUIRED))
    wrong = text[~blank & numbers.isna()]
    said = f"{name}: not a number in {len(wrong)} rows (first {wrong.iloc[0]!r}), taken as missing" if len(wrong) else None
    return pa.array(numbers.to_numpy(), from_pandas=True), said


_PATTERNS = (
    (re.compile(r"(\d{4})-(\d{2})-(\d{2})"), (1, 2, 3)),
    (re.compile(r"(\d{4})/(\d{2})/(\d{2})"), (1, 2, 3)),
    (re.compile(r"(\d{4})(\d{2})(\d{2})$"), (1, 2, 3)),
    (re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})"), (3, 1, 2)),
)


def parsed_days(texts: list[str | None], file: str) -> np.ndarray:
    """Return datetime64[D] of dates written YYYY-MM-DD (a time may follow), YYYY/MM/DD, YYYYMMDD or MM/DD/YYYY.

    The day is taken as written, so a time zone leaves it exchange-local. Raises `InputError` at the first that is none.
    """
    known: dict[str | None, np.datetime64] = {}
    for row, text in enumerate(texts):
        if text not in known:
            known[text] = _day(text or "", row, file)
    return np.array([known[text] for text in texts], dtype="datetime64[D]")


def _day(text: str, row: int, file: str) -> np.datetime64:
    for pattern, (year, month, day) in _PATTERNS:
        if match := pattern.match(text.strip()):
            try:
                return np.datetime64(f"{match[year]}-{int(match[month]):02d}-{int(match[day]):02d}", "D")
            except ValueError:
                break
    raise InputError(f"{file}: row {row + 1} has the date {text!r}; write YYYY-MM-DD")
