"""Which market `trader run` is about."""

import pytest

from trader_pipeline.cli.run import SourceName, market
from trader_pipeline.errors import UsageError


def test_without_a_source_it_is_that_of_the_dataset(monkeypatch, tmp_path):
    """Errors say `trader run`, which goes on with the market that they speak of."""
    monkeypatch.setenv("TRADER_DATASET", "us20")
    assert market(None, None, "").dataset == "us20"
    assert market(SourceName.YAHOO, None, "large").live_universe == "large"
    monkeypatch.setenv("TRADER_DATASET", "own")
    monkeypatch.setenv("TRADER_OWN_PATH", str(tmp_path))
    assert market(None, None, "").own_path == market(SourceName.OWN, None, "").own_path == tmp_path
    with pytest.raises(UsageError, match="--path goes with --source own"):
        market(SourceName.YAHOO, tmp_path, "")


def test_own_files_want_a_folder(monkeypatch):
    monkeypatch.delenv("TRADER_OWN_PATH", raising=False)
    monkeypatch.setenv("TRADER_DATASET", "own")
    assert market(None, None, "").own_path is None, "what is stored"
    with pytest.raises(UsageError, match=r"wants --path FOLDER .* or TRADER_OWN_PATH"):
        market(SourceName.OWN, None, "")
