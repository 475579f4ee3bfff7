"""How full the disk is, and with what."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from trader_pipeline import durable

ALERT_RATIO = 0.85
"""A disk used more than this share is worth an alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUsage:
    """Bytes below each folder of a dataset's home and of the whole home (largest first), and of the disk that they lie on."""

    dataset_folders: dict[str, int]
    home_folders: dict[str, int]
    total_bytes: int
    free_bytes: int

    @property
    def used_ratio(self) -> float:
        """Share of the disk that is not free, whoever uses it."""
        return 1 - self.free_bytes / self.total_bytes

    @property
    def alert(self) -> bool:
        """Whether the disk is over `ALERT_RATIO`."""
        return self.used_ratio > ALERT_RATIO


def fullness(home: Path) -> tuple[float, int]:
    """Return (share of the home's disk that is used, bytes free) without looking at the files."""
    absolute = home.absolute()
    existing = next(path for path in (absolute, *absolute.parents) if path.exists())
    usage = shutil.disk_usage(existing)
    return 1 - usage.free / usage.total, usage.free


def disk_usage(home: Path, dataset_home: Path) -> DiskUsage:
    """Measure `home` and `dataset_home`; a folder that does not exist yet has no sizes and counts as its nearest parent's disk."""
    absolute = home.absolute()
    existing = next(path for path in (absolute, *absolute.parents) if path.exists())
    usage = shutil.disk_usage(existing)
    return DiskUsage(
        dataset_folders=durable.folder_sizes(dataset_home),
        home_folders=durable.folder_sizes(home),
        total_bytes=usage.total,
        free_bytes=usage.free,
    )
