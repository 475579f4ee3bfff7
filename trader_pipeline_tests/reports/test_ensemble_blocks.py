"""What the report says of the members: their weights, how alike they are; nothing of a model of one."""

import pyarrow as pa
import pytest

from trader_pipeline.formats import percent
from trader_pipeline.lake import Change, Lake
from trader_pipeline.reports.facts import Facts
from trader_pipeline.reports.sections.ensemble import blocks
from trader_pipeline.schema.serving import DIVERSITY, ENSEMBLE_WEIGHTS
from trader_pipeline.settings import Settings
from trader_pipeline_tests import published

KEYS = {"model_id": published.MODEL_ID, "known_at": published.KNOWN, "horizon_sessions": 5}


@pytest.fixture
def facts(tmp_path):
    """Return facts of a published lake after more rows were added to it."""
    settings = Settings(home=tmp_path / "home", dataset="deep", _env_file=None)
    lake: Lake = published.publish(settings, sessions=300)

    def of(*changes):
        if changes:
            lake.publish(*changes)
        return Facts(lake.snapshot(), settings, session=published.SESSION, made_at=published.MADE_AT)

    return of


def weights(**by_member):
    rows = [
        KEYS
        | {"fold": -1, "regime": regime, "model": name, "weight": weight, "fitted_weight": weight, "adopted": True, "gain": 0.0123}
        | {"gain_half_width": 0.02, "sessions": 100, "method": "regime", "average": "plain"}
        for name, by_regime in by_member.items()
        for regime, weight in zip(("calm", "middle", "wild"), by_regime, strict=True)
    ]
    return Change.append(ENSEMBLE_WEIGHTS, pa.Table.from_pylist(rows, ENSEMBLE_WEIGHTS.arrow_schema))


def test_weights_and_correlations_are_shown(facts):
    pair = KEYS | {"model": "lightgbm", "other": "ridge", "error_correlation": 0.6, "score_correlation": 0.25, "rows": 100}
    found = blocks(
        facts(
            weights(ridge=(0.25, 0.5, 0.4), lightgbm=(0.75, 0.5, 0.6)),
            Change.append(DIVERSITY, pa.Table.from_pylist([pair], DIVERSITY.arrow_schema)),
        )
    )
    assert [block.title for block in found] == ["Weights of the members", "How alike the members are"]
    assert found[0].rows == (
        ("5", "lightgbm", f"{percent(0.5)} to {percent(0.75)}", "yes", "0.012", "±0.020"),
        ("5", "ridge", f"{percent(0.25)} to {percent(0.5)}", "yes", "0.012", "±0.020"),
    )
    assert found[1].rows == (("5", "lightgbm", "ridge", "0.60", "0.25"),)


def test_one_member_has_nothing_to_weigh(facts):
    assert blocks(facts()) == []
    assert blocks(facts(weights(ridge=(1.0, 1.0, 1.0)))) == []
