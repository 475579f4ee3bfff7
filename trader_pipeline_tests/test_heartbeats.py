"""When the sensors were alive, in words."""

import datetime as dt

import pytest

from trader_pipeline import heartbeats
from trader_pipeline.heartbeats import Beat

NOW = dt.datetime(2026, 11, 27, 22, tzinfo=dt.UTC)
MEND = "schedule and sensors do not run; start them with `TRADER_DATASET=live trader dev`"


def test_what_was_written_is_read(tmp_path):
    beats = [Beat(sensor="heartbeat", at=NOW, said="alive"), Beat(sensor="on_stale_data", at=NOW - dt.timedelta(minutes=4), said="é")]
    for beat in (Beat(sensor="heartbeat", at=NOW - dt.timedelta(hours=1), said="alive"), *beats):
        heartbeats.write(tmp_path / "beats", beat)
    assert heartbeats.read(tmp_path / "beats") == beats
    assert heartbeats.last_seen(beats) == NOW


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"at": "x", "said": ""}', b'{"at": "2026-11-27T22:00", "said": ""}', b"\xff"])
def test_what_is_broken_never_happened(tmp_path, content):
    (tmp_path / "heartbeat.json").write_bytes(content)
    assert heartbeats.read(tmp_path) == []
    assert heartbeats.last_seen([]) is None


@pytest.mark.parametrize(
    ("ago", "words", "alive"),
    [
        (dt.timedelta(seconds=-5), "last seen 0 minutes ago", True),
        (dt.timedelta(seconds=90), "last seen 1 minute ago", True),
        (dt.timedelta(minutes=10), "last seen 10 minutes ago", True),
        (dt.timedelta(minutes=11), f"last seen 11 minutes ago: {MEND}", False),
        (dt.timedelta(hours=3), f"last seen 3 hours ago: {MEND}", False),
        (dt.timedelta(days=9), f"last seen 9 days ago: {MEND}", False),
        (None, f"never seen: {MEND}", False),
    ],
)
def test_in_words(ago, words, alive):
    seen = None if ago is None else NOW - ago
    assert heartbeats.in_words(seen, NOW, dataset="live") == words
    assert heartbeats.is_alive(seen, NOW) is alive
    assert heartbeats.in_words(seen, NOW, dataset="deep") == words.split(":")[0]  # nothing has to run for what ended in 2020
