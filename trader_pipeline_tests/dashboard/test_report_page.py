"""The page that frames the report."""


def test_the_report_is_framed_and_carries_its_own_policy(home, deep):
    folder = home / "deep" / "reports"
    folder.mkdir(exist_ok=True)
    (folder / "report_2020-02-07.html").write_text("<!doctype html><title>Report</title>")
    (folder / "notes.txt").write_text("not a report")
    assert 'src="/report/2020-02-07"' in deep.get("/report").text
    answer = deep.get("/report/2020-02-07")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert deep.get("/report/2020-02-06").status_code == 404
    assert deep.get("/report/..%2f..%2flake%2fHEAD").status_code in (400, 404)
