"""Everything that a report may read of one session, each read once, from one snapshot."""

import datetime as dt
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from trader_pipeline import calendar, formats
from trader_pipeline.entry import CLOSE, entry_of
from trader_pipeline.lake import Snapshot
from trader_pipeline.reports.prices import Closes, adjusted_closes
from trader_pipeline.schema.contracts import DECISIONS, PREDICTIONS
from trader_pipeline.schema.quality import FORCED_SESSION
from trader_pipeline.settings import Settings

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]

HEADLINE_SESSIONS = 5
"""Horizon of the summary and of the table of forecasts."""

TRAILING_SESSIONS = 252


class Facts:
    """The tables behind one report. `sessions_needed` is what the recipe needs, to say so where history is too short."""

    def __init__(
        self, snapshot: Snapshot, settings: Settings, *, session: dt.date, made_at: dt.datetime, sessions_needed: int | None = None
    ) -> None:
        self.snapshot = snapshot
        self.settings = settings
        self.session = session
        self.made_at = made_at
        self.sessions_needed = sessions_needed

    def ask(self, query: str, values: Any = ()) -> list[Row]:
        """Return the rows of one SELECT."""
        rows: list[Row] = self.snapshot.sql(query, values).to_pylist()
        return rows

    @property
    def historical(self) -> bool:
        """Whether the dataset ends where it ends, by design."""
        return self.settings.dataset in ("deep", "broad", "us20", "simulated")

    @cached_property
    def exchange(self) -> str:
        """Exchange that most stocks are listed on."""
        rows = self.ask("select exchange from core.ticker_map where role = 'stock' group by 1 order by count(*) desc, 1 limit 1")
        return str(rows[0]["exchange"]) if rows else "XNYS"

    @cached_property
    def trade_at(self) -> dt.datetime:
        """The next open: the first at which a prediction of this session can be traded on."""
        return calendar.open_at(self.exchange, calendar.offset(self.exchange, self.session, 1))

    @cached_property
    def at_close(self) -> bool:
        """Whether a prediction enters at the close that it was made after, for the market has no opens."""
        return entry_of(self.snapshot) == CLOSE

    @property
    def entry(self) -> str:
        """Where a prediction of this session enters: `the open of 2020-02-10`."""
        return f"the close of {self.session}" if self.at_close else f"the open of {self.trade_at:%Y-%m-%d}"

    @property
    def fills(self) -> str:
        """Where labels and paper trades are filled."""
        return (
            "fills at the close that the forecast was made after, where nobody could have traded" if self.at_close else "fills at the open"
        )

    @cached_property
    def forecasts(self) -> list[Row]:
        """predictions.daily of the session with name, sector and issuer; best score first within a horizon."""
        return self.ask(
            f"""
            with named as (
                select ticker, name, issuer_id from core.ticker_map
                where valid_from <= $session and (valid_to is null or valid_to >= $session)
                qualify row_number() over (partition by ticker order by valid_from desc) = 1
            ), sectors as (
                select ticker, sector from core.sectors where valid_from <= $session and (valid_to is null or valid_to >= $session)
                qualify row_number() over (partition by ticker order by valid_from desc) = 1
            )
            select {PREDICTIONS.select("p")}, n.name, n.issuer_id, s.sector from predictions.daily p
            left join named n using (ticker) left join sectors s using (ticker)
            where p.session = $session order by horizon_sessions, score desc nulls last, ticker""",  # noqa: S608 - columns of the contract
            {"session": self.session},
        )

    def at(self, horizon: int) -> list[Row]:
        """Return the forecasts of one horizon, best score first."""
        return [row for row in self.forecasts if row["horizon_sessions"] == horizon]

    @cached_property
    def model_id(self) -> str | None:
        """Model of the session's predictions."""
        return str(self.forecasts[0]["model_id"]) if self.forecasts else None

    @cached_property
    def forced(self) -> str | None:
        """What the gate said and was overridden when the predictions were made, None where it let them through."""
        rows = self.ask(FORCED_SESSION, [self.session])
        return str(rows[0]["message"]) if rows else None

    @cached_property
    def run(self) -> Row | None:
        """The training run of the model."""
        rows = self.ask("select * from training.runs where model_id = ?", [self.model_id])
        return rows[0] if rows else None

    @cached_property
    def decisions(self) -> list[Row]:
        """decisions.daily of the session by rank."""
        return self.ask(f"select {DECISIONS.select('d')} from decisions.daily d where session = ? order by rank, ticker", [self.session])  # noqa: S608 - as above

    @cached_property
    def scorecard(self) -> list[Row]:
        """Every member's scorecard and the ensemble's, of the model."""
        return self.ask("select * from evaluation.scorecard where model_id = ? order by horizon_sessions, model", [self.model_id])

    @cached_property
    def ensemble(self) -> list[Row]:
        """The ensemble's scorecard by horizon."""
        return [row for row in self.scorecard if row["model"] == "ensemble"]

    @cached_property
    def backtest(self) -> dict[str, Any]:
        """evaluation.backtest of the model as arrays by column, [T]; empty arrays where there is none."""
        table = self.snapshot.sql("select * from evaluation.backtest where model_id = ? order by session", [self.model_id])
        return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}

    @cached_property
    def against_benchmark(self) -> dict[int, Row]:
        """The rows of evaluation.strategy that hold the paper portfolio against the benchmark, by cost multiple."""
        rows = self.ask("select * from evaluation.strategy where model_id = ? and against = 'benchmark'", [self.model_id])
        return {row["cost_multiple"]: row for row in rows}

    def sharpe_difference(self, cost_multiple: int) -> str:
        """Return the Sharpe ratio less the benchmark's, and its interval, at so many times the costs."""
        row = self.against_benchmark.get(cost_multiple)
        if row is None:
            return formats.MISSING
        value, low, high = (formats.number(row[name], sign=True) for name in ("difference", "low", "high"))
        return f"{value} ({low} to {high})"

    @property
    def has_backtest(self) -> bool:
        """Whether a backtest of the model is there."""
        return len(self.backtest["session"]) > 0

    @cached_property
    def benchmark(self) -> str:
        """How the benchmark is called in the report."""
        if self.has_backtest:
            name = str(self.backtest["benchmark"][0])
            return "the equal-weight universe" if name == "equal_weight" else name
        return self.settings.benchmark

    @cached_property
    def closes(self) -> Closes:
        """Split-adjusted closes of the trailing year, [T, N]."""
        return adjusted_closes(self.snapshot, self.session, TRAILING_SESSIONS + 1)

    @cached_property
    def span(self) -> Row:
        """What core.accepted_bars holds up to the session."""
        return self.ask(
            """select count(distinct ticker) as tickers, count(distinct session) as sessions, count(*) as rows,
                      min(session) as first_session, max(session) as last_session,
                      string_agg(distinct source, ', ' order by source) as source
               from core.accepted_bars where session <= ?""",
            [self.session],
        )[0]

    @cached_property
    def universe(self) -> Row:
        """How many stocks and issuers are listed at the session, and which benchmark."""
        return self.ask(
            """select count(*) filter (role = 'stock') as stocks, count(distinct issuer_id) filter (role = 'stock') as issuers,
                      max(ticker) filter (role = 'benchmark') as benchmark
               from core.ticker_map where valid_from <= $session and (valid_to is null or valid_to >= $session)""",
            {"session": self.session},
        )[0]

    @cached_property
    def dividends(self) -> int:
        """How many cash dividends the lake knows up to the session; without any, every return is a price return."""
        return sum(row["kind"] == "dividend" and row["session"] <= self.session for row in self.snapshot.actions().to_pylist())

    @property
    def return_kind(self) -> str:
        """`total return`, or `price return` where no dividend is known; the closes of us20 hold their dividends."""
        return "total return" if self.dividends or self.settings.dataset == "us20" else "price return"
