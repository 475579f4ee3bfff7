"""Membership by date: who belongs to the universe of a source."""

import duckdb
import pyarrow as pa


def stock_members(ticker_map: pa.Table, name: str) -> pa.Table:
    """Return core.universe rows: every stock of core.ticker_map for as long as its symbol is valid. Benchmarks are no members."""
    with duckdb.connect() as con:
        con.register("ticker_map", ticker_map)
        query = "select ? as universe, ticker, valid_from, valid_to from ticker_map where role = 'stock'"
        return con.sql(query, params=[name]).to_arrow_table()
