"""`trader clean` names and deletes what the lake needs no more, and nothing else; `trader doctor` names sources without a key."""

import os
import shutil
import time

from trader_pipeline_tests.conftest import trader


def test_clean_names_first_and_deletes_then(demo, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(demo.home, home)
    orphan = home / "deep/lake/parts/core/daily_bars/2020-0123456789abcdef.parquet"
    mine = home / "deep/notes.txt"
    for path in (orphan, mine):
        path.write_bytes(b"x" * 1000)
        two_days_ago = time.time() - 2 * 86_400
        os.utime(path, (two_days_ago, two_days_ago))
    named = trader("clean", "--dry-run", "--json", home=home).json()
    assert (named["schema"], named["dry_run"], named["bytes"]) == ("trader.clean/1", True, 1000)
    assert named["removed"] == [{"kind": "part", "bytes": 1000, "path": str(orphan)}]
    assert orphan.exists()
    ran = trader("clean", home=home)
    assert "deep: 1 files, 0.0 MB deleted" in ran.out
    assert (orphan.exists(), mine.exists()) == (False, True)
    assert "0 files" in trader("clean", home=home).out


def test_clean_of_an_empty_home_makes_nothing(tmp_path):
    home = tmp_path / "home"
    assert "0 files" in trader("clean", home=home).out
    assert not (home / "deep").exists()


def test_the_doctor_names_a_source_without_its_key_and_shows_no_key(tmp_path):
    sources = {"SOURCES__NEWS": '["fmp"]', "SOURCES__MACRO": '["fred"]', "FRED__API_KEY": "s3cretkey"}
    ran = trader("doctor", "--json", home=tmp_path / "home", **sources)
    assert ran.code == 1, ran.err
    told = {f["fact"]: (f["state"], f["mend"]) for f in ran.json()["findings"] if f["name"] == "source"}
    assert [fact for fact, (state, _) in told.items() if state == "ok"] == ["yahoo: bars", "fred: macro; key set"]
    assert [(state, "TRADER_FMP__API_KEY" in mend) for state, mend in told.values() if state != "ok"] == [("fail", True)]
    assert "s3cretkey" not in ran.out + ran.err
