import json
from typing import NamedTuple

import pytest

from trader_pipeline import durable
from trader_pipeline.errors import CorruptPartError, NoModelError
from trader_pipeline.models import checkpoint


class Saved(NamedTuple):
    name: str

    def files(self):
        return {"member.json": b"{}", "weights.bin": b"12345"}


@pytest.fixture
def folder(tmp_path):
    checkpoint.save_members(tmp_path, [Saved("ridge")])
    checkpoint.write_manifest(tmp_path, checkpoint.member_paths(tmp_path))
    return tmp_path


def test_the_manifest_names_every_file_with_its_hash(folder):
    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert sorted(files) == ["members/ridge/member.json", "members/ridge/weights.bin"]
    # sha256 of "12345", as printed by sha256sum
    assert files["members/ridge/weights.bin"]["sha256"] == "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"
    assert checkpoint.verify(folder) == durable.sha256_file(folder / "manifest.json")


def test_without_a_manifest_there_is_no_model(folder):
    (folder / "manifest.json").unlink()
    with pytest.raises(NoModelError, match="did not finish"):
        checkpoint.load_members(folder)


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"12346"), lambda path: path.unlink()])
def test_a_damaged_or_missing_file_is_named_with_the_mend(folder, damage):
    damage(folder / "members/ridge/weights.bin")
    with pytest.raises(CorruptPartError, match=r"members/ridge/weights\.bin.*train again"):
        checkpoint.verify(folder)


def test_a_file_that_the_manifest_does_not_name_is_not_read(folder):
    (folder / "stray.bin").write_bytes(b"x")
    with pytest.raises(CorruptPartError, match=r"does not name stray\.bin"):
        checkpoint.read_verified(folder, "stray.bin")


def test_a_member_of_another_version_is_named(tmp_path):
    checkpoint.save_members(tmp_path, [Saved("oracle_machine")])
    checkpoint.write_manifest(tmp_path, checkpoint.member_paths(tmp_path))
    with pytest.raises(NoModelError, match="oracle_machine"):
        checkpoint.load_members(tmp_path)
