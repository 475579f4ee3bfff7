"""Run the rules on a folder of a user's own files; nothing is stored."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import VENDOR_PRICES, open_context
from trader_pipeline.checks.overrides import Override
from trader_pipeline.checks.report import CheckReport, report_of, run_rules
from trader_pipeline.checks.rule import Finding, Rule, RuleResult
from trader_pipeline.flows.check import require_rules
from trader_pipeline.schema.columns import DATE, INSTANT
from trader_pipeline.schema.core import DAILY_BARS, TICKER_MAP
from trader_pipeline.schema.raw import OWN_BARS
from trader_pipeline.settings import CheckSettings
from trader_pipeline.sources.listings import listings_of_files
from trader_pipeline.sources.own_files import read_folder
from trader_pipeline.sources.source import Attempt

_ANY_DATE = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
"""The reader refuses dates after this; here a future row is a finding like any other."""

_READABLE = Rule(
    name="file_format",
    table=OWN_BARS,
    severity="warning",
    scope="ticker",
    blocking=False,
    description="What was odd while reading the files: cells that are no numbers, weekly or intraday rows.",
    run=lambda _: RuleResult(),
)


def check_files(
    path: Path, settings: CheckSettings, *, as_of: dt.date | None, now: dt.datetime, overrides: Sequence[Override] = ()
) -> CheckReport:
    """Judge every file of `path` at the close + 30 min of `as_of`; None takes the newest session that the files have.

    `overrides` are what people decided.

    Rows of sessions after `as_of` are not looked at, rows of sessions that are not closed at `now` are findings. Raises
    `InputError` where the folder cannot be read, `UsageError` where the settings apply repairs of what is no rule.
    """
    require_rules(settings)
    rows, attempts = read_folder(path, _ANY_DATE)
    bars, vendor_prices, ticker_map = core_of_files(rows)
    days = rows["date"].to_numpy()
    past = days[days <= np.datetime64(now.date())]
    day = np.datetime64(as_of) if as_of else (past.max() if len(past) else days.min())
    moment = min(calendar.known_at_array("XNYS", np.asarray([day]))[0].item().replace(tzinfo=dt.UTC), now)
    known = pc.or_(pc.less_equal(bars["known_at"], _instant(moment)), pc.greater(bars["known_at"], _instant(now)))
    context = open_context(
        bars.filter(known), ticker_map, as_of=moment, settings=settings, overrides=overrides, vendor_prices=vendor_prices.filter(known)
    )
    report = run_rules(CHECKS, context, run_id="files")
    return replace(report, results=(report_of(_READABLE, _oddities(attempts)), *report.results))


def core_of_files(rows: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Return the rows as core.daily_bars, repeats kept, the same rows as VENDOR_PRICES, and each ticker's listing as core.ticker_map."""
    pieces, vendor, listings = [], [], []
    for ticker, listing in sorted(listings_of_files(rows).items()):
        piece = rows.filter(pc.equal(rows["ticker"], ticker))
        known_at = pa.array(calendar.known_at_array(listing.exchange, piece["date"].to_numpy())).cast(INSTANT)
        columns = {
            "ticker": piece["ticker"],
            "session": piece["date"].cast(DATE),
            "source": pa.repeat("own", piece.num_rows),
            "known_at": known_at,
            "known_at_basis": pa.repeat("assumed", piece.num_rows),
            **{name: piece[name] for name in ("open", "high", "low", "close")},
            "volume_shares": piece["volume"],
            "currency": pa.repeat(listing.currency, piece.num_rows),
            "price_unit": pa.repeat(listing.price_unit, piece.num_rows),
        }
        pieces.append(DAILY_BARS.conform(pa.table(columns)))
        vendor.append(pa.table({name: columns[name] if name in columns else piece[name] for name in VENDOR_PRICES.names}))
        first = pc.min(piece["date"]).as_py()
        listings.append(
            {"ticker": ticker, "symbol": ticker, "valid_from": first, "issuer_id": ticker, "exchange": listing.exchange, "role": "stock"}
        )
    return pa.concat_tables(pieces), pa.concat_tables(vendor), TICKER_MAP.conform(pa.Table.from_pylist(listings))


def _oddities(attempts: Iterable[Attempt]) -> RuleResult:
    told = [attempt for attempt in attempts if attempt.detail and attempt.first_session and attempt.last_session]
    findings = tuple(
        Finding(
            ticker=attempt.ticker,
            source="own",
            severity="warning",
            scope="ticker",
            first_session=attempt.first_session or dt.date.min,
            last_session=attempt.last_session or dt.date.min,
            sessions=attempt.rows,
            value=None,
            message=f"{attempt.ticker}: {attempt.detail}",
        )
        for attempt in told
    )
    return RuleResult(findings=findings, metrics={"tickers": len(told)})


def _instant(moment: dt.datetime) -> pa.Scalar:
    return pa.scalar(moment, INSTANT)
