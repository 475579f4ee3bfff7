"""What reads a table that was not made yet says what is missing and names the command that makes it, whatever the home has."""

import re
from typing import get_args

import pytest

from trader_pipeline.errors import NotMadeError
from trader_pipeline.flows import train
from trader_pipeline.lake import Lake
from trader_pipeline.schema import TABLES
from trader_pipeline.schema.makers import BRINGS, CHAIN, missing
from trader_pipeline.settings import Dataset, Settings
from trader_pipeline_tests import published
from trader_pipeline_tests.cli.in_process import carry_out
from trader_pipeline_tests.cli.test_help import commands

READERS = (
    "scorecard",
    "paper",
    "predict",
    "report",
    "factors",
    "sql 'select 1'",
    "export",
    "export --duckdb x.duckdb",
    "schema diff",
    "models promote ID",
    "models rollback",
    "ablate --sample deep --rows ema",
    "predict --session 2020-02-07 --verify",
)
OF_MODEL = ("scorecard", "models promote ID", "models rollback", "predict")
OF_PREDICTIONS = ("paper", "predict --session 2020-02-07 --verify", "export --table predictions.daily")


def mend(ran):
    """The command that an error names."""
    assert (ran.code, ran.out) == (4, ""), ran.err
    assert "docs/runbook.md has E405" in ran.err
    return re.search("`(trader [^`]+)` makes (it|them);", ran.err)[1]


def words(command):
    return [word.strip("'") for word in re.findall(r"'[^']*'|\S+", command)]


@pytest.mark.parametrize("command", READERS)
def test_in_an_empty_home_it_is_the_dataset_that_is_brought(capsys, monkeypatch, tmp_path, command):
    home = tmp_path / "home"
    home.mkdir()
    assert mend(carry_out(capsys, monkeypatch, home, *words(command))) == "trader demo --sample deep"
    if "--sample" not in command:
        assert mend(carry_out(capsys, monkeypatch, home, *words(command), DATASET="live")) == "trader run --source yahoo"


@pytest.mark.parametrize("command", [*OF_MODEL, *OF_PREDICTIONS])
def test_with_bars_alone_features_come_next(capsys, monkeypatch, bars_alone, command):
    assert mend(carry_out(capsys, monkeypatch, bars_alone, *words(command))) == "trader demo --sample deep"


@pytest.fixture(scope="module")
def bars_alone(tmp_path_factory):
    home = tmp_path_factory.mktemp("bars") / "home"
    published.publish_bars_only(Settings(home=home, dataset="deep", _env_file=None))
    return home


def test_a_list_of_nothing_is_no_error_and_says_what_makes_one(capsys, monkeypatch, tmp_path):
    for command in ("models", "status"):
        ran = carry_out(capsys, monkeypatch, tmp_path, command)
        assert ran.code == 0, ran.err
        assert "the dataset deep has no data yet: `trader demo --sample deep` makes it" in ran.out


def test_training_on_nothing_names_what_brings_data_and_not_a_longer_history(tmp_path):
    settings = Settings(home=tmp_path, dataset="simulated", _env_file=None)
    with pytest.raises(NotMadeError, match="`trader run --source simulated` makes it"):
        train.prepare(
            Lake(settings.dataset_home / "lake", "simulated"),
            models_dir=tmp_path,
            recipe="ridge",
            seed=0,
            as_of=published.KNOWN,
            run_id="r",
        )


def test_every_table_has_a_command_and_every_command_is_one():
    have = {link.by for link in CHAIN}
    named = {missing(table.full_name, "own", lambda name: name in have).split("`")[1] for table in TABLES}
    assert named == {BRINGS["own"], "trader train", "trader predict"}
    assert set(BRINGS) == set(get_args(Dataset))
    known = commands()
    for command in {*BRINGS.values(), *(link.command for link in CHAIN if link.command)}:
        _, name, *rest = command.split()
        assert {word for word in rest if word.startswith("--")} <= set(known[name])


@pytest.mark.parametrize(
    ("have", "said"),
    [
        (0, "no data yet: `trader run --source own --path DIR` makes it"),
        (1, "no features yet: `trader run --source own --path DIR` makes them"),
        (2, "no model yet: `trader train` makes it"),
        (3, "no predictions yet: `trader predict` makes them"),
        (4, "nothing in predictions.paper_log: `trader predict` writes it, but had nothing to write or did not end"),
    ],
)
def test_the_first_link_that_is_missing_is_named(have, said):
    there = {link.by for link in CHAIN[:have]}
    assert missing("predictions.paper_log", "own", lambda name: name in there) == said
