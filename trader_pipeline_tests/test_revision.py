import shutil
import subprocess

import pytest

from trader_pipeline import revision

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *words):
    own = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", str(folder), *own, *words], capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_of_the_checkout_and_whether_files_differ(tmp_path, monkeypatch):
    module = tmp_path / "package" / "revision.py"
    module.parent.mkdir()
    module.write_text("")
    monkeypatch.setattr(revision, "__file__", str(module))
    assert revision.git_revision() is None  # no checkout
    git(tmp_path, "init", "-q")
    assert revision.git_revision() is None  # somebody else's checkout: a virtual environment inside it, say
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert revision.git_revision() == commit
    (module.parent / "scratch.txt").write_text("not the code's")
    assert revision.git_revision() == commit
    module.write_text("changed = True")
    assert revision.git_revision() == f"{commit}+changes"


def test_without_git_nothing_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert revision.git_revision() is None
