"""What one training run is asked to do: all that the child process needs, so that it opens no lake and no settings."""

import datetime as dt
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE = "request.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFile:
    """A Parquet part to read, and what its bytes must hash to."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """Inputs, recipe and output folder of one run. `last_session` is the newest session whose close is known at `as_of`."""

    model_id: str
    run_id: str
    recipe: str
    seed: int
    as_of: dt.datetime
    last_session: dt.date
    data_version: str
    out_folder: str
    panel_parts: tuple[PartFile, ...]
    target_parts: tuple[PartFile, ...]
    features: tuple[str, ...]
    sectors: dict[str, str]
    families: dict[str, str] = field(default_factory=dict)
    """Each feature's family."""
    git_revision: str | None = None
    forced: tuple[str, ...] = ()
    """What blocked the training and was overridden."""

    skip_preflight: bool = False
    """Whether the run goes on where a preflight check fails."""

    @property
    def folder(self) -> Path:
        """The only folder that the run writes."""
        return Path(self.out_folder)

    profile: bool = False
    """Whether a few steps of each fold are traced."""

    @property
    def profile_folder(self) -> Path | None:
        """Where the traces go, if any are wanted."""
        return self.folder / "profile" if self.profile else None

    @property
    def scratch(self) -> Path:
        """What a run that is cut short goes on from; gone when the run is complete."""
        return self.folder / ".scratch-run"

    @property
    def path(self) -> Path:
        """Where the request itself is kept."""
        return self.folder / FILE

    def to_json(self) -> bytes:
        """Return the canonical bytes."""
        plain = asdict(self) | {"as_of": self.as_of.isoformat(), "last_session": self.last_session.isoformat()}
        return json.dumps(plain, indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "TrainingRequest":
        """Read what `to_json` wrote."""
        raw: dict[str, Any] = json.loads(data)
        raw["as_of"] = dt.datetime.fromisoformat(raw["as_of"])
        raw["last_session"] = dt.date.fromisoformat(raw["last_session"])
        for key in ("panel_parts", "target_parts"):
            raw[key] = tuple(PartFile(**part) for part in raw[key])
        raw["features"] = tuple(raw["features"])
        raw["forced"] = tuple(raw.get("forced", ()))  # requests of earlier versions have none
        return cls(**raw)
