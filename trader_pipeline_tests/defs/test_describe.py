from trader_pipeline.defs.training_child import describe


def test_an_epoch_reads_as_one_line():
    event = {"event": "epoch", "model": "panel_former", "fold": 2, "epoch": 3, "train_loss": 0.471234}
    assert describe(event) == "panel_former fold 2 epoch: epoch 3, train_loss 0.4712"


def test_the_final_fit_is_named():
    assert describe({"event": "fit_end", "model": "ridge", "fold": -1, "seconds": 0.5}) == "ridge final fit end: seconds 0.5"
