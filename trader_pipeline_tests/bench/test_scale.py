from trader_pipeline.bench import scale


def test_all_rows_are_written_by_blocks_and_the_newest_session_is_bitwise_that_of_a_longer_stretch(tmp_path, monkeypatch):
    staged = []
    monkeypatch.setattr(scale, "blocks", lambda *_: [(0, 150), (150, 299), (299, 300)])
    monkeypatch.setattr(
        scale.Lake, "stage", lambda self, table, rows, stage=scale.Lake.stage: staged.append(rows) or stage(self, table, rows)
    )
    figures = scale.measure(tmp_path, tickers=7, sessions=300)
    assert [len(part["session"].unique()) for part in staged] == [150, 149]
    assert figures["rows"] == scale.simulated(7, 300).rows.sum() > 1500
    assert figures["one_day_equal"] is True
    assert (figures["tickers"], figures["sessions"], figures["features"]) == (7, 300, 158)
    assert min(figures[name] for name in ("cpu_s", "wall_s", "peak_mb", "file_mb", "one_day_cpu_s", "one_day_append_cpu_s")) > 0
