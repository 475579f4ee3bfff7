"""Each way in which published rows can break what consumers were promised is found, and nothing else is."""

import datetime as dt
import json

import pyarrow as pa
import pytest

from trader_pipeline.checks.contracts import breaches, export_breaches, told
from trader_pipeline.inference.export import export_paths, write_export
from trader_pipeline.schema.contracts import CONTRACTS, DECISIONS, PREDICTIONS

SESSION = dt.date(2020, 2, 7)
MADE = dt.datetime(2020, 2, 7, 22, tzinfo=dt.UTC)
STAMP = {"session": SESSION, "model_id": "m", "data_version": "d", "made_at": MADE, "run_id": "r"}


def forecast(ticker, horizon):
    plain = {"return_mean": 0.01, "q05": -0.1, "q25": -0.02, "q50": 0.01, "q75": 0.03, "q95": 0.1, "p_up": 0.55, "p_outperform": 0.5}
    plain |= {"base_rate": 0.52, "score": 0.1, "confidence": 0.2, "disagreement": None, "novelty": 0.3, "abstained": False}
    return {"ticker": ticker, "horizon_sessions": horizon} | STAMP | plain


def rows(**first):
    """Eight rows of two tickers; the facts are those of the first."""
    listed = [forecast(t, h) for t in ("A", "B") for h in (1, 5, 20, 60)]
    listed[0] |= first
    return pa.Table.from_pylist(listed, schema=PREDICTIONS.table.arrow_schema)


def decisions(**first):
    plain = {"issuer_id": "A", "momentum_score": None, "ml_score": 0.1, "momentum_part": 0.0, "ml_part": 0.06, "score": 0.06, "rank": 1}
    plain |= {"momentum_share": None, "ml_share": None, "action": "buy", "target_weight": 0.1, "uncut_weight": 0.1, "reasons": "-"}
    return pa.Table.from_pylist([STAMP | {"ticker": "A"} | plain | first], schema=DECISIONS.table.arrow_schema)


def test_sound_rows_break_nothing():
    assert breaches(PREDICTIONS, rows()) == []
    assert breaches(PREDICTIONS, rows(abstained=True, return_mean=None, q05=None, p_up=None, confidence=None)) == []
    assert breaches(DECISIONS, decisions()) == []
    assert breaches(PREDICTIONS, rows().slice(0, 0)) == []


def test_a_new_column_breaks_nothing():
    assert breaches(PREDICTIONS, rows().append_column("more", pa.array([1] * 8))) == []


SHORT = "horizon_sessions not all of 1/5/20/60 in 1 row, first A"


@pytest.mark.parametrize(
    ("first", "fact"),
    [
        ({"p_up": 1.01}, "p_up over 1 in 1 row, first A"),
        ({"p_up": -0.01}, "p_up under 0 in 1 row, first A"),
        ({"confidence": 1.5}, "confidence over 1 in 1 row, first A"),
        ({"p_up": None}, "p_up null though not abstained in 1 row, first A"),
        ({"q50": float("nan")}, "q50 null though not abstained in 1 row, first A"),
        ({"return_mean": -1.2}, "return_mean under -1 in 1 row, first A"),
        ({"q25": -0.2}, "q05 over q25 in 1 row, first A"),
        ({"horizon_sessions": 5}, f"key more than one row in 1 row, first A; {SHORT}"),
        ({"horizon_sessions": 2}, f"horizon_sessions none of 1/5/20/60 in 1 row, first A; {SHORT}"),
    ],
)
def test_a_broken_value_is_named(first, fact):
    found = breaches(PREDICTIONS, rows(**first))
    assert told(PREDICTIONS, found) == f"predictions.daily/1 is broken: {fact}"


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (lambda t: t.drop_columns(["p_up"]), "p_up is gone"),
        (lambda t: t.set_column(3, "return_mean", t["return_mean"].cast("float32")), "return_mean was promised as double, is float"),
        (lambda t: t.set_column(1, "ticker", pa.array([None] + ["B"] * 7, pa.string())), "ticker null in 1 row, first None"),
        (lambda t: t.slice(0, 7), "horizon_sessions not all of 1/5/20/60 in 1 row, first B"),
        (lambda t: pa.concat_tables([t, t.slice(4, 1)]), "key more than one row in 1 row, first B"),
    ],
)
def test_a_broken_shape_is_named(change, fact):
    assert fact in told(PREDICTIONS, breaches(PREDICTIONS, change(rows())))


@pytest.mark.parametrize(
    ("first", "fact"),
    [
        ({"action": "short"}, "action none of buy, sell, hold in 1 row, first A"),
        ({"rank": 0}, "rank under 1 in 1 row, first A"),
        ({"target_weight": None}, "target_weight null in 1 row, first A"),
        ({"target_weight": 1.2}, "target_weight over 1 in 1 row, first A"),
    ],
)
def test_a_broken_decision_is_named(first, fact):
    assert told(DECISIONS, breaches(DECISIONS, decisions(**first))) == f"decisions.daily/1 is broken: {fact}"


def test_the_export_and_its_manifest_are_held_against_each_other(tmp_path):
    write_export(tmp_path, rows(), as_of=MADE)
    parquet, manifest = export_paths(tmp_path, SESSION)
    assert export_breaches(parquet, manifest) == []
    sound = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps(sound | {"rows": 7}))
    assert [(b.about, b.told) for b in export_breaches(parquet, manifest)] == [("manifest.rows", "says 7, is 8")]
    manifest.write_text(json.dumps({k: v for k, v in sound.items() if k != "sha256"}))
    assert [(b.about, b.told) for b in export_breaches(parquet, manifest)] == [("manifest.sha256", "expected str, got None")]
    write_export(tmp_path, rows(p_up=2.0), as_of=MADE)
    assert [b.about for b in export_breaches(parquet, manifest)] == ["p_up"]
    parquet.write_bytes(b"cut")
    assert export_breaches(parquet, manifest)[0].told.startswith("cannot be read")
    parquet.unlink()
    assert export_breaches(parquet, manifest)[0].about == "export"


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.name)
def test_the_table_still_gives_what_is_promised(contract):
    """What fails when a column of the table goes or changes: raise the contract's version with it, and tell the readers."""
    assert breaches(contract, contract.table.empty()) == []
    assert contract.key == contract.table.key
