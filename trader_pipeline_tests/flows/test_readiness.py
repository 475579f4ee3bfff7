"""Sources that cannot be asked are named with the mend; keys are never shown."""

import pytest

from trader_pipeline.flows.readiness import readiness
from trader_pipeline.settings import Settings


def found(tmp_path, **settings):
    return [(f.state, f.name, f.fact, f.mend) for f in readiness(Settings(home=tmp_path, _env_file=None, **settings))]


def test_yahoo_alone_wants_no_key(tmp_path):
    assert found(tmp_path) == [("ok", "source", "yahoo: bars", "")]


def test_no_source_of_bars_is_a_failure(tmp_path):
    assert [(state, "TRADER_SOURCES__BARS" in fact) for state, _, fact, _ in found(tmp_path, sources={"bars": []})] == [("fail", True)]


@pytest.mark.parametrize(("name", "text"), [("universe.toml", "default = 1\n"), ("symbols.toml", "[[rename]]\n")])
def test_a_list_that_cannot_be_read_is_named(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    state, named, fact, mend = found(tmp_path)[-1]
    assert (state, named) == ("fail", name)
    assert str(tmp_path / name) in fact
    assert mend


def test_lists_that_can_be_read_are_said_to_be(tmp_path):
    (tmp_path / "symbols.toml").write_text('[[rename]]\nfrom = "FB"\nto = "META"\non = 2022-06-09\n')
    assert [(state, name) for state, name, _, _ in found(tmp_path)] == [("ok", "source"), ("ok", "symbols.toml")]
