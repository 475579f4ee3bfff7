"""What a run says while it goes on."""

from trader_pipeline.cli.output import Bar, Lines

REASON = f"forced in spite of core.daily_bars: staleness: {'ends too early, ' * 20}fetch again"


def test_a_log_has_the_whole_message(capsys):
    Lines().say(f"{REASON}\nmore")
    assert capsys.readouterr().err == f"  {REASON}\n"


def test_a_bar_shows_that_it_cuts():
    class Drawn:
        def add_task(self, *_, **__):
            return 0

        def update(self, _, message):
            self.message = message

    drawn = Drawn()
    bar = Bar(drawn)
    bar.say("short")
    assert drawn.message == "short"
    bar.say(REASON)
    assert (len(drawn.message), drawn.message[-1], REASON.startswith(drawn.message[:-1])) == (70, "…", True)
