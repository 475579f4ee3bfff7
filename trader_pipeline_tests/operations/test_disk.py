from trader_pipeline.operations import disk
from trader_pipeline.operations.disk import disk_usage


def test_sizes_and_alert(tmp_path, monkeypatch):
    (tmp_path / "home/deep/lake").mkdir(parents=True)
    (tmp_path / "home/deep/lake/part").write_bytes(b"x" * 100)
    (tmp_path / "home/dagster").mkdir()
    usage = type("Usage", (), {"total": 1000, "free": 150})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage)
    found = disk_usage(tmp_path / "home", tmp_path / "home/deep")
    assert found.dataset_folders == {"lake": 100}
    assert found.home_folders == {"deep": 100, "dagster": 0}
    assert (found.used_ratio, found.alert) == (0.85, False)
    usage.free = 149
    assert disk_usage(tmp_path / "home", tmp_path / "home/deep").alert


def test_a_home_that_is_not_there_yet(tmp_path):
    found = disk_usage(tmp_path / "not" / "yet", tmp_path / "not" / "yet" / "deep")
    assert found.home_folders == found.dataset_folders == {}
    assert found.total_bytes >= found.free_bytes > 0
