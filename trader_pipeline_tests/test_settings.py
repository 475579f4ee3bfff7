"""Settings come from TRADER_* and .env, and a universe from universe.toml."""

from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from trader_pipeline.errors import UsageError
from trader_pipeline.settings import Settings, SourceSettings, load_universe
from trader_pipeline.sources import FEEDS
from trader_pipeline.variables import allowed, name_of, strange


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "GATE_FILE", "DATASET", "YAHOO__BASE_URL", "WEBHOOK_URL"):
        monkeypatch.delenv(f"TRADER_{name}", raising=False)


def test_the_environment_wins_over_the_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("TRADER_DATASET=broad\nTRADER_YAHOO__BURST=2\nOTHER=1\n")
    assert (Settings().dataset, Settings().yahoo.burst) == ("broad", 2)
    monkeypatch.setenv("TRADER_DATASET", "live")
    monkeypatch.setenv("TRADER_CHECKS__STALE_ERROR", "7")
    assert (Settings().dataset, Settings().checks.stale_error, Settings().yahoo.burst) == ("live", 7, 2)


def test_folders_follow_home_and_dataset(tmp_path):
    settings = Settings(home=tmp_path, dataset="simulated")
    assert settings.dataset_home == tmp_path / "simulated"
    assert settings.dagster_home == tmp_path / "dagster"
    assert settings.universe_file == tmp_path / "universe.toml"


@pytest.mark.parametrize("blank", [None, "", " "])
def test_the_gate_is_the_homes_own_unless_a_file_is_named(tmp_path, monkeypatch, blank):
    if blank is not None:
        monkeypatch.setenv("TRADER_GATE_FILE", blank)
    assert Settings(home=tmp_path).gate_path == tmp_path / "gate.sqlite"
    (tmp_path / ".env").write_text("TRADER_GATE_FILE=~/gates.sqlite\n")
    monkeypatch.delenv("TRADER_GATE_FILE", raising=False)
    assert {Settings(home=tmp_path / name).gate_path for name in ("one", "two")} == {Path.home() / "gates.sqlite"}


def test_a_wrong_value_is_refused(monkeypatch):
    monkeypatch.setenv("TRADER_DATASET", "moon")
    with pytest.raises(ValidationError, match="dataset"):
        Settings()


@pytest.mark.parametrize("blank", ["", " "])
def test_an_empty_variable_is_unset(monkeypatch, blank):
    monkeypatch.setenv("TRADER_WEBHOOK_URL", blank)
    monkeypatch.setenv("TRADER_OWN_PATH", "")
    assert (Settings().webhook_url, Settings().own_path) == (None, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHECKS__MISSING_RATIO", "-1"),
        ("CHECKS__NAN_ERROR", "1.5"),
        ("CHECKS__MISSING_RUN", "-1"),
        ("CHECKS__STALE_ERROR", "-1"),
        ("SERVE__PORT", "99999"),
        ("SERVE__DAGSTER_PORT", "0"),
        ("SIMULATED_DAYS", "0"),
        ("DECISIONS__NAME_LIMIT", "2"),
        ("SOURCES__BARS", '["yaho"]'),
    ],
)
def test_what_is_out_of_range_is_refused(monkeypatch, name, value):
    monkeypatch.setenv(f"TRADER_{name}", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert [name_of(error["loc"]) for error in caught.value.errors()] == [f"TRADER_{name}"]


def test_the_bounds_of_a_variable_are_known():
    assert allowed("TRADER_CHECKS__MISSING_RATIO") == "at least 0, at most 1"
    assert allowed("TRADER_YAHOO__REQUESTS_PER_HOUR") == "more than 0"
    assert allowed("TRADER_RECIPE") == allowed("TRADER_NOTHING") == ""


def test_a_source_that_can_be_set_is_one_that_is_there():
    for kind, info in SourceSettings.model_fields.items():
        (names,) = {get_args(argument) for argument in get_args(info.annotation) if argument is not ...}
        assert set(names) == {feed.source for feed in FEEDS if feed.kind == kind and not feed.local}


def test_a_misspelt_variable_is_named_with_what_it_may_mean():
    assert strange(["TRADER_HOME", "trader_seed", "TRADER_YAHOO", "TRADER_YAHOO__BURST", "HOME"]) == []
    assert strange(["TRADER_DATASETS", "TRADER_XQZ"]) == [
        "TRADER_DATASETS is no setting; did you mean TRADER_DATASET?",
        "TRADER_XQZ is no setting; docs/settings.md has them all",
    ]


def test_secrets_are_not_printed():
    settings = Settings(webhook_url="https://example.org/hook/s3cret")
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in settings.model_dump_json()


def test_the_dashboard_listens_on_loopback():
    assert Settings().serve.host == "127.0.0.1"


def test_load_universe(tmp_path):
    path = tmp_path / "universe.toml"
    path.write_text('[default]\nmembers = [{ticker = "AAPL", added = 2020-01-02}, {ticker = "MSFT", added = 2020-01-02}]\n')
    assert load_universe(path, "default") == ["AAPL", "MSFT"]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        (None, "does not exist; write one with `trader universe add default"),
        ("[default\n", "mend the file"),
        ("[other]\nmembers = []\n", r"no list 'default', only \['other'\]"),
        ("[default]\n", "a list is written members"),
        ("[default]\nmembers = ['AAPL']\n", "a list is written members"),
        ("[default]\nmembers = [{name = 'AAPL'}]\n", "a list is written members"),
    ],
)
def test_a_bad_universe_is_a_clear_error(tmp_path, text, fact):
    path = tmp_path / "universe.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=fact):
        load_universe(path, "default")
