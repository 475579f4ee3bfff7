"""Membership by date: who belongs to the universe of a source."""

import duckdb
import pyarrow as pa


def stock_members(ticker_map: pa.Table, name: str) -> pa.Table:
    """Return core.universe rows: every stock of core.ticker_map while it is listed, whatever its symbol. Benchmarks are no members."""
    with duckdb.connect() as con:
        con.register("ticker_map", ticker_map)
        query = """
            select ? as universe, ticker, min(valid_from) as valid_from,
                case when count(*) = count(valid_to) then max(valid_to) end as valid_to
            from ticker_map where role = 'stock' group by ticker"""
        return con.sql(query, params=[name]).to_arrow_table()
