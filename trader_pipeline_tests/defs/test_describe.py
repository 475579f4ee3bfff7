from trader_pipeline.defs.training_child import describe


def test_an_epoch_reads_as_one_line():
    event = {"event": "epoch", "model": "panel_former", "fold": 2, "epoch": 3, "train_loss": 0.471234}
    assert describe(event) == "panel_former fold 2 epoch: epoch 3, train_loss 0.4712"


def test_what_is_too_long_for_a_line_is_counted():
    event = {
        "event": "rate_range",
        "model": "gru",
        "fold": 0,
        "rates": [0.1] * 40,
        "drifted": ["vix"],
        "gaps": {"fit": [2, 6]},
        "pick": 0.003,
    }
    assert describe(event) == "gru fold 0 rate_range: rates (40 of them), drifted ['vix'], gaps (1 of them), pick 0.003"


def test_the_final_fit_is_named():
    assert describe({"event": "fit_end", "model": "ridge", "fold": -1, "seconds": 0.5}) == "ridge final fit end: seconds 0.5"
