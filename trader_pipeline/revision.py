"""Which code this is: the commit of the checkout that the package was imported from."""

import subprocess
from pathlib import Path


def git_revision() -> str | None:
    """Return the commit, with "+changes" where files differ from it; None where the package lies in no checkout, or without git."""
    package = Path(__file__).parent
    tracked = _git(package, "ls-files", Path(__file__).name)
    commit = _git(package, "rev-parse", "HEAD") if tracked else None
    if not commit:
        return None
    return f"{commit}+changes" if _git(package, "status", "--porcelain", "--untracked-files=no", ".") else commit


def _git(folder: Path, *words: str) -> str | None:
    try:
        ran = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10)  # noqa: S603, S607 - words of our own
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip()
