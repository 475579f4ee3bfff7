"""How much each member counts, and how alike the members are: a part of the methodology."""

from collections.abc import Sequence

from trader_pipeline import formats
from trader_pipeline.reports.facts import Facts
from trader_pipeline.reports.section import AnyBlock, Grid

_SAME = 1e-9


def blocks(facts: Facts) -> Sequence[AnyBlock]:
    """Return the weights that serve and the members' error correlations; nothing of a model of one member."""
    return [*_weights(facts), *_diversity(facts)]


def _weights(facts: Facts) -> list[AnyBlock]:
    rows = facts.ask(
        "select horizon_sessions, model, min(weight) least, max(weight) most, bool_or(adopted) adopted, any_value(gain) gain, "
        "any_value(gain_half_width) half_width from training.ensemble_weights where model_id = ? and fold = -1 "
        "group by horizon_sessions, model order by horizon_sessions, model",
        [facts.model_id],
    )
    if len({row["model"] for row in rows}) <= 1:
        return []
    return [
        Grid(
            title="Weights of the members",
            columns=("Sessions", "<Member", "Weight", "<Fitted on ranks", "Gain of rank IC", "95 % interval"),
            rows=tuple(
                (
                    str(row["horizon_sessions"]),
                    row["model"],
                    formats.percent(row["least"]) + (f" to {formats.percent(row['most'])}" if row["most"] > row["least"] + _SAME else ""),
                    "yes" if row["adopted"] else "no, equal",
                    formats.number(row["gain"], 3),
                    f"±{formats.number(row['half_width'], 3)}",
                )
                for row in rows
            ),
            note="Fitted weights are shrunk half-way to equal ones and serve only where earlier folds found them better; the gain is over "
            "equal weights. A range is over calm, middle and wild markets.",
            sources=("training.ensemble_weights",),
        )
    ]


def _diversity(facts: Facts) -> list[AnyBlock]:
    rows = facts.ask(
        "select * from training.diversity where model_id = ? and model <> other order by horizon_sessions, model, other", [facts.model_id]
    )
    if not rows:
        return []
    return [
        Grid(
            title="How alike the members are",
            columns=("Sessions", "<Member", "<Beside", "Errors", "Scores"),
            rows=tuple(
                (
                    str(row["horizon_sessions"]),
                    row["model"],
                    row["other"],
                    formats.number(row["error_correlation"], 2),
                    formats.number(row["score_correlation"], 2),
                )
                for row in rows
            ),
            note="Correlations out of fold. The lower that of the errors, the more the members' mean gains.",
            sources=("training.diversity",),
        )
    ]
