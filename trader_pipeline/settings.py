"""Facts of one machine and one user: TRADER_* variables, `.env`. Read at the edge, passed inwards as values."""

import datetime as dt
import json
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from trader_pipeline.errors import UsageError
from trader_pipeline.toml_file import read_toml

Dataset = Literal["deep", "broad", "us20", "simulated", "live", "own"]


def _stripped(value: object) -> object:
    """Return a text without the blanks around it; a blank one is none."""
    return (value.strip() or None) if isinstance(value, str) else value


def _listed(value: object) -> object:
    """Return the names of a text: a JSON list, or names with commas between them."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [name.strip() for name in value.split(",") if name.strip()]
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError("write names with commas between them, or a JSON list") from error


Secret = Annotated[SecretStr | None, BeforeValidator(_stripped)]
_Name = TypeVar("_Name", bound=str)
Names = Annotated[tuple[_Name, ...], NoDecode, BeforeValidator(_listed)]


class VendorSettings(BaseModel):
    """How a vendor is asked."""

    base_url: str | None = Field(None, description="Mirror or test server; unset is the vendor itself.")
    requests_per_hour: float = Field(3600, gt=0, description="Pace shared by all processes that use the same gate file.")
    burst: int = Field(4, ge=1, description="Requests that may go at once after a pause.")
    timeout_seconds: float = Field(10, gt=0, description="Limit of one request.")
    deadline_seconds: float = Field(300, gt=0, description="Limit of one ticker, retries and waits included.")
    attempts: int = Field(8, ge=1, description="Attempts a ticker.")
    workers: int = Field(4, ge=1, le=16, description="Threads that fetch.")
    backoff_seconds: float = Field(0.5, gt=0, description="Multiplier of the exponential backoff with full jitter.")
    outage_patience_seconds: float = Field(
        180, ge=0, description="Longest opening of the circuit that a fetch waits out; past it the rest is left for the next run."
    )


class YahooSettings(VendorSettings):
    """How Yahoo is asked."""

    requests_per_hour: float = Field(1800, gt=0, description="Pace shared by all processes that use the same gate file.")
    news_count: int = Field(30, ge=1, description="Newest headlines a ticker that are asked for.")
    option_expiries: int = Field(6, ge=1, description="Expiries a ticker, spread over option_days; each is a request.")
    option_days: int = Field(275, ge=1, description="How far ahead expiries are looked at, in days.")


class FmpSettings(VendorSettings):
    """How Financial Modeling Prep is asked. The pace is the plan's: free 250 a day, starter 300 a minute, premium 750, ultimate 3000."""

    api_key: Secret = Field(None, description="Key of Financial Modeling Prep.")
    requests_per_hour: float = Field(10, gt=0, description="Pace of your plan: free 10, starter 18000, premium 45000, ultimate 180000.")
    deadline_seconds: float = Field(
        7200, gt=0, description="Limit of one ticker: at 10 an hour four threads of four requests wait 96 minutes."
    )


class TiingoSettings(VendorSettings):
    """How Tiingo is asked."""

    api_key: Secret = Field(None, description="Token of Tiingo.")
    requests_per_hour: float = Field(50, gt=0, description="Pace of your plan: free 50.")
    deadline_seconds: float = Field(900, gt=0, description="Limit of one ticker: at 50 an hour four threads wait ten minutes.")


class FredSettings(VendorSettings):
    """How FRED and ALFRED are asked. With a key every vintage comes, without one the latest values only."""

    api_key: Secret = Field(None, description="Key of FRED: brings vintages (ALFRED).")
    requests_per_hour: float = Field(7200, gt=0, description="Pace shared by all processes that use the same gate file.")
    series: Names[str] = Field(
        ("DGS10", "DGS2", "DGS3MO", "BAA10Y", "AAA10Y", "BAMLH0A0HYM2", "VIXCLS", "CPIAUCSL", "UNRATE", "T10YIE"),
        description="Series that are followed.",
    )


class SecSettings(VendorSettings):
    """How SEC EDGAR is asked."""

    contact: str | None = Field(None, description="Name and e-mail that the SEC wants in the User-Agent: Jane Doe jane@example.com.")
    requests_per_hour: float = Field(
        28800, gt=0, description="Pace shared by all processes that use the same gate file; the SEC bars over 10 a second."
    )


class PublicSettings(VendorSettings):
    """How a host of public files is asked: CBOE, Ken French's library, the S&P 500 membership on GitHub."""

    requests_per_hour: float = Field(120, gt=0, description="Pace shared by all processes that use the same gate file.")


class SourceSettings(BaseModel):
    """Which sources fill which kind of table, first choice first. An empty list switches a kind off."""

    bars: Names[Literal["yahoo", "fmp", "tiingo"]] = Field(
        ("yahoo",), description="Bars and actions: yahoo, fmp, tiingo. A later one stands in for an earlier one."
    )
    news: Names[Literal["yahoo", "fmp", "tiingo"]] = Field((), description="Headlines: yahoo, fmp, tiingo.")
    options: Names[Literal["yahoo"]] = Field((), description="Option chain snapshots: yahoo.")
    fundamentals: Names[Literal["sec", "fmp"]] = Field((), description="Figures as filed: sec, fmp.")
    earnings: Names[Literal["fmp"]] = Field((), description="Earnings reports: fmp.")
    macro: Names[Literal["fred", "cboe"]] = Field((), description="Macro series: fred, cboe.")
    factors: Names[Literal["french"]] = Field((), description="Published factor returns: french.")
    members: Names[Literal["sp500"]] = Field((), description="Index membership by date: sp500.")
    symbols: Names[Literal["fmp"]] = Field((), description="Renames of symbols: fmp.")


class CheckSettings(BaseModel):
    """Where the quality rules draw their lines."""

    missing_ratio: float = Field(0.02, ge=0, le=1, description="Missing sessions over this share quarantine the ticker.")
    missing_run: int = Field(5, ge=0, description="More missing sessions in a row than this quarantine the ticker.")
    nan_error: float = Field(0.05, ge=0, le=1, description="Null ratio of a column that is an error.")
    nan_warning: float = Field(0.01, ge=0, le=1, description="Null ratio of a column that is a warning.")
    stale_error: int = Field(5, ge=0, description="Sessions behind the last closed one that are an error.")
    stale_warning: int = Field(2, ge=0, description="Sessions behind the last closed one that are a warning.")
    outage_ratio: float = Field(
        0.20, ge=0, le=1, description="More of the listed tickers than this missing one session is a provider outage."
    )
    stand_in_difference: float = Field(0.005, ge=0, description="Median difference of closes over which no source stands in for another.")
    quarantined_tickers: float = Field(
        0.05, ge=0, le=1, description="More of the listed tickers than this quarantined blocks what follows; of fewer than 20, all."
    )
    only_changed: bool = Field(
        True, description="Judge the newest sessions, and whole each ticker of which more is to be said; once a week everything (ADR 5)."
    )
    apply_repairs: Names[str] = Field(
        (),
        description="Rules whose proposed prices, volumes and dividends stand in for the stored ones: price_unit, dividend_size, ...",
    )


class NlpSettings(BaseModel):
    """Which text models score headlines. VADER always does."""

    finbert: str | None = Field(
        None, description="FinBERT: a folder, or a hub name such as ProsusAI/finbert; wants the extra nlp. Unset leaves its column null."
    )
    finbert_revision: str | None = Field(
        None, description="Commit of that model on the hub. Unset takes the newest, and all texts are scored anew when it changes."
    )
    finbert_released_on: dt.date = Field(
        dt.date(2019, 8, 27), description="When that model came out: older headlines get no score of it in features."
    )
    batch: int = Field(64, ge=1, description="Texts that FinBERT reads at once.")


class EnsembleSettings(BaseModel):
    """How members become one forecast, and how forecasts are calibrated."""

    weights: Literal["equal", "stacked", "regime"] = Field(
        "stacked",
        description="equal, stacked (least squares on out-of-fold ranks, half-way to equal) or regime (stacked by volatility third); "
        "fitted ones serve only where earlier folds found them better than equal ones.",
    )
    average: Literal["plain", "confidence"] = Field("plain", description="confidence: a member counts more where it is more confident.")
    calibration: Literal["shrink", "isotonic"] = Field(
        "shrink", description="isotonic: what the shrunk slopes say of p_up is mapped once more, by a monotone map."
    )


class DecisionSettings(BaseModel):
    """How forecasts become positions."""

    momentum_weight: float = Field(0.4, ge=0, description="Weight of the momentum score.")
    ml_weight: float = Field(0.6, ge=0, description="Weight of the ML score.")
    name_limit: float = Field(0.15, gt=0, le=1, description="Largest absolute weight of an issuer.")
    gross_limit: float = Field(1.0, gt=0, description="Largest sum of absolute weights.")
    abstain_confidence: float = Field(0.05, ge=0, le=1, description="A forecast less confident than this abstains.")
    abstain_novelty: float = Field(0.995, ge=0, le=1, description="A forecast on inputs more novel than this abstains.")


class PaperSettings(BaseModel):
    """How the paper log follows predictions."""

    delisting_return: float = Field(
        -0.3,
        ge=-1,
        description="Return from the last close of a security that is delisted before the horizon ends: -0.3 is NYSE's (Shumway 1997), "
        "-0.55 Nasdaq's (Shumway & Warther 1999). Tables hold neither the venue nor a merger's cash terms.",
    )


class AlertSettings(BaseModel):
    """Who is told by mail, and how often of the same thing. `TRADER_WEBHOOK_URL` is the webhook."""

    repeat_hours: float = Field(6, ge=0, description="The same event and subject is sent again after these hours at the earliest.")
    smtp_host: str | None = Field(None, description="Mail server that alerts go to as well; unset mails nothing.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port: 587 for starttls, 465 for tls.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls, or none: a password then travels in the clear."
    )
    smtp_user: str | None = Field(None, description="User at the mail server; unset sends without logging in.")
    smtp_password: Secret = Field(None, description="Password at the mail server.")
    smtp_from: str | None = Field(None, description="Sender's address.")
    smtp_to: str | None = Field(None, description="Receivers' addresses, comma-separated.")


class ServeSettings(BaseModel):
    """Where the dashboard listens."""

    host: str = Field("127.0.0.1", description="Loopback unless a proxy with authentication stands before it.")
    port: int = Field(8050, ge=1, le=65535, description="Port of the dashboard.")
    dagster_port: int = Field(3000, ge=1, le=65535, description="Port of the Dagster UI.")


class Settings(BaseSettings):
    """All settings. A nested one is written TRADER_YAHOO__BASE_URL; an empty variable is unset."""

    model_config = SettingsConfigDict(
        env_prefix="TRADER_", env_nested_delimiter="__", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    home: Path = Field(Path.home() / ".local/share/trader", description="Everything that the project writes.")
    gate_file: Annotated[Path | None, BeforeValidator(_stripped)] = Field(
        None, description="Pace of requests to every vendor, shared by all homes that name one file; unset is gate.sqlite in the home."
    )
    dataset: Dataset = Field("deep", description="Market that this home's run is about; one lake each.")
    own_path: Path | None = Field(None, description="Folder of CSV or Parquet files for the dataset `own`.")
    recipe: str = Field("three_members", description="Training recipe.")
    seed: int = Field(0, ge=0, description="Seed of training and of the simulated market.")
    simulated_tickers: int = Field(150, ge=1, description="Tickers of the simulated market.")
    simulated_days: int = Field(1500, ge=1, description="Sessions of the simulated market.")
    simulated_null: bool = Field(False, description="A simulated market without any signal.")
    live_universe: str = Field("default", description="Universe of universe.toml that the live dataset follows.")
    live_first_session: str = Field("2010-01-04", description="First session of the live dataset's history.")
    benchmark: str = Field("SPY", description="Benchmark ticker.")
    webhook_url: Secret = Field(None, description="Where alerts are posted as JSON that Slack understands; unset posts nothing.")
    chromium: str | None = Field(None, description="Browser for the browser tests, for example /usr/bin/chromium.")
    sources: SourceSettings = SourceSettings()
    yahoo: YahooSettings = YahooSettings()
    fmp: FmpSettings = FmpSettings()
    tiingo: TiingoSettings = TiingoSettings()
    fred: FredSettings = FredSettings()
    sec: SecSettings = SecSettings()
    cboe: PublicSettings = PublicSettings()
    french: PublicSettings = PublicSettings()
    sp500: PublicSettings = PublicSettings()
    checks: CheckSettings = CheckSettings()
    nlp: NlpSettings = NlpSettings()
    ensemble: EnsembleSettings = EnsembleSettings()
    decisions: DecisionSettings = DecisionSettings()
    paper: PaperSettings = PaperSettings()
    alerts: AlertSettings = AlertSettings()
    serve: ServeSettings = ServeSettings()

    @property
    def dataset_home(self) -> Path:
        """Folder of the current dataset: lake, models, exports, reports."""
        return self.home / self.dataset

    def report_path(self, session: dt.date) -> Path:
        """Return where the session's report lies."""
        return self.dataset_home / "reports" / f"report_{session}.html"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.home / "dagster"

    @property
    def heartbeats(self) -> Path:
        """Where the sensors of the current dataset write that they live."""
        return self.dagster_home / "heartbeats" / self.dataset

    @property
    def gate_path(self) -> Path:
        """The file of the request gates, shared by every process that uses it."""
        return self.gate_file.expanduser() if self.gate_file else self.home / "gate.sqlite"

    @property
    def symbols_file(self) -> Path:
        """The user's own renames and ends of symbols."""
        return self.home / "symbols.toml"

    @property
    def overrides_file(self) -> Path:
        """What the user decided against the quality rules."""
        return self.home / "overrides.toml"

    @property
    def universe_file(self) -> Path:
        """The user's named lists of tickers."""
        return self.home / "universe.toml"


def load_universe(path: Path, name: str) -> list[str]:
    """Return the tickers of one named list of `universe.toml`; raise `UsageError` when there is none."""
    if not path.exists():
        raise UsageError(f"{path} does not exist; write one with `trader universe add {name} AAPL MSFT`")
    lists = read_toml(path)
    if name not in lists:
        raise UsageError(f"{path} has no list {name!r}, only {sorted(lists)}; add it with `trader universe add {name} AAPL MSFT`")
    try:
        return [str(member["ticker"]) for member in lists[name]["members"]]
    except (KeyError, TypeError) as error:
        raise UsageError(f'{path}: [{name}] {error!r}; a list is written members = [{{ticker = "AAPL", added = 2020-01-02}}]') from error
