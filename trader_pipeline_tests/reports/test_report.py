"""The report as a file: whole, self-contained, the same bytes every time."""

import datetime as dt
import re

import pytest

from trader_pipeline.flows.gate import Block, forced_session
from trader_pipeline.flows.report import report
from trader_pipeline.lake import Change, Lake
from trader_pipeline.reports import SECTIONS
from trader_pipeline.reports.facts import Facts
from trader_pipeline.reports.section import Bullets
from trader_pipeline.schema.core import ACCEPTED_BARS
from trader_pipeline.settings import Settings
from trader_pipeline_tests import published


def settings_of(home, dataset="deep"):
    return Settings(home=home, dataset=dataset, _env_file=None)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    settings = settings_of(tmp_path_factory.mktemp("reports"))
    lake = published.publish(settings)
    path = report(lake, settings, session=published.SESSION, made_at=published.MADE_AT)
    return lake, settings, path, path.read_text()


def plain(html):
    """Return the words of a report: no pictures, tags, or typographic hyphens."""
    text = re.sub(r"<svg.*?</svg>|<style.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", text.replace("\N{NON-BREAKING HYPHEN}", "-").replace("\N{NO-BREAK SPACE}", " "))


def test_it_lies_where_the_dashboard_looks(written):
    _, settings, path, _ = written
    assert path == settings.dataset_home / "reports" / "report_2020-02-07.html"


def test_the_same_inputs_give_the_same_bytes(written):
    lake, settings, path, _ = written
    before = path.read_bytes()
    path.unlink()
    report(lake, settings, session=published.SESSION, made_at=published.MADE_AT)
    assert path.read_bytes() == before
    report(lake, settings, session=published.SESSION, made_at=published.MADE_AT + dt.timedelta(hours=1))
    assert path.read_bytes() != before
    path.write_bytes(before)


def test_it_loads_and_runs_nothing(written):
    html = written[3]
    assert "://" not in html
    assert not re.findall(r"<script|<link|<iframe|@import|url\((?!#)|\ssrc=|\son\w+=", html.replace("&lt;script", ""))


def test_every_identifier_is_its_own(written):
    identifiers = re.findall(r'\sid="([^"]+)"', written[3])
    assert len(identifiers) == len(set(identifiers))


def test_the_sections_stand_in_their_declared_order_and_limits_before_results(written):
    titles = re.findall(r"<h2><span>\d+</span>([^<]+)</h2>", written[3])
    assert titles == [section.title for section in SECTIONS]
    assert titles.index("What limits these numbers") < titles.index("Forecasts")
    assert len({section.key for section in SECTIONS}) == len(SECTIONS)


def test_the_summary_has_two_or_three_bullets(written):
    summary = re.search(r'id="summary">.*?</section>', written[3], re.DOTALL)[0]
    assert 2 <= summary.count("<li>") <= 3


def test_the_limits_are_specific(written):
    text = plain(written[3])
    assert "Hindsight sample: the 11 names were chosen later" in text
    assert "Price return: the data hold no dividends" in text
    assert "11 names of 10 issuers" in text  # GOOG and GOOGL are one
    assert "14 at 20 sessions, 4 at 60 sessions" in text
    assert text.index("Hindsight sample") < text.index("No investment advice")


def test_every_block_names_tables_version_and_model(written):
    html = written[3]
    blocks = html.count("<h3>") + html.count("<figcaption>") + html.count("<ul>")
    lines = re.findall(r'class="source">Source: ([^<]+)<', html)
    assert len(lines) == html.count("<h3>") + html.count("<ul>")  # a figure carries its line inside the picture
    assert blocks > 15
    for line in lines:
        assert re.fullmatch(rf"[a-z_., ]+ · data version [0-9a-f]{{12}} · model {published.MODEL_ID}", line)


def test_a_claim_without_a_source_is_refused():
    with pytest.raises(ValueError, match="names no source"):
        Bullets(items=("Prices always rise.",), sources=())


def test_figures_are_the_tables(written):
    lake, _, _, html = written
    text = plain(html)
    row = lake.snapshot().sql(
        "select return_mean, p_up from predictions.daily where session = ? and ticker = 'BA' and horizon_sessions = 5", [published.SESSION]
    )
    assert f"BA Boeing {100 * row['return_mean'][0].as_py():+.2f} %" in text
    assert f"{100 * row['p_up'][0].as_py():.1f} %" in text
    assert "53.1 % vs 52.2 % base (±1.4), target 70 %: not met" in text


def test_confidence_stands_beside_its_edge_and_each_window_beside_what_it_counts(written):
    lake, _, _, html = written
    text = plain(html)
    (row,) = (
        lake.snapshot()
        .sql(
            "select p_up - base_rate as edge, confidence, p_outperform from predictions.daily "
            "where session = ? and ticker = 'BA' and horizon_sessions = 5",
            [published.SESSION],
        )
        .to_pylist()
    )
    edge = f"{100 * row['edge']:+.1f}".replace("-", "\N{MINUS SIGN}")
    assert f"{edge} {row['confidence']:.2f} {100 * row['p_outperform']:.1f} %" in text
    assert "1.00 is as sure as the model gets, not certain" in text
    assert "Windows of accuracy" in text
    assert "Windows of rank IC, which speaks of the sessions of all folds: 299 at 1 session, 59 at 5 sessions," in text


def test_sharpe_differences_are_those_of_the_strategy_table(written):
    text = plain(written[3])
    assert text.count("+0.20 (\N{MINUS SIGN}0.30 to +0.70)") == 1 + 3, "risk, and one a cost multiple"


def test_a_hostile_name_is_text(written):
    assert "<script" not in written[3]
    assert "&lt;script&gt;" in written[3]


def test_without_predictions_it_speaks_of_the_data_only(tmp_path):
    settings = settings_of(tmp_path, "broad")
    lake = published.publish_bars_only(settings)
    text = plain(report(lake, settings, session=published.SESSION, made_at=published.MADE_AT).read_text())
    assert "No predictions of 2020-02-07: not enough history. The lake holds 250 sessions of 12 tickers" in text
    assert "needs 997 sessions" in text  # 252 look-back + 500 training + 65 purge + 3 x 60 test
    assert "Last checks by rule" in text
    assert "Scenarios" not in text
    assert "nan" not in text.lower().split()


def test_a_section_without_its_table_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "evaluation", lambda *_: ())
    settings = settings_of(tmp_path)
    lake = published.publish(settings)
    text = plain(report(lake, settings, session=published.SESSION, made_at=published.MADE_AT).read_text())
    assert "No backtest of this model." in text
    assert "No scorecard of this model." in text


def test_every_section_survives_an_empty_lake(tmp_path):
    settings = settings_of(tmp_path)
    facts = Facts(Lake(settings.dataset_home / "lake", "deep").snapshot(), settings, session=published.SESSION, made_at=published.MADE_AT)
    for section in SECTIONS:
        assert section.build(facts) is not None


def test_a_forced_session_says_what_the_gate_said(tmp_path):
    settings = settings_of(tmp_path)
    lake = published.publish(settings)
    block = Block(table="core.daily_bars", rule="staleness", fact="ends too early")
    lake.publish(forced_session([block], session=published.SESSION, as_of=published.KNOWN, run_id="r"))
    text = plain(report(lake, settings, session=published.SESSION, made_at=published.MADE_AT).read_text())
    assert "Forced: made although the gate said: core.daily_bars: staleness: ends too early." in text


def test_a_session_that_was_not_forced_does_not_say_so(written):
    assert "although the gate" not in plain(written[3])


def test_a_market_of_closes_alone_never_speaks_of_the_open(written, tmp_path):
    text = plain(written[3])
    for said in ("enters at the next open", "fills at the open", "from the open of 2020-02-10"):
        assert said in text
    settings = settings_of(tmp_path)
    lake = published.publish(settings)
    bars = lake.snapshot().read(ACCEPTED_BARS)
    lake.publish(Change.replace(ACCEPTED_BARS, bars.drop_columns(["open"])))
    text = plain(report(lake, settings, session=published.SESSION, made_at=published.MADE_AT).read_text())
    assert "enters at that close, for the data hold no opens" in text
    assert "from the close of 2020-02-07" in text
    assert text.count("fills at the close that the forecast was made after, where nobody could have traded") == 2
    for said in ("enters at the next open", "fills at the open", "from the open of", "from the next open"):
        assert said not in text
