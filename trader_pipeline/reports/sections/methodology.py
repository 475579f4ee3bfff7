"""How the numbers came about: data, models, assumptions."""

from collections.abc import Sequence

from trader_pipeline import formats
from trader_pipeline.reports.facts import Facts, Row
from trader_pipeline.reports.section import AnyBlock, Bullets, Grid, Missing, Section
from trader_pipeline.reports.sections import ensemble

_TARGETS = "The score is trained on the rank of the beta-residual return, the distribution on the return in units of volatility."
_VALIDATION = (
    "Validation: expanding walk-forward; before each test block as many sessions are left out as the longest label reaches, and an embargo "
    "beyond. Probabilities and intervals are calibrated on earlier folds only, and shrunk to the base rate where the folds show no skill."
)
_ASSUMPTIONS = "half a spread and a commission on every trade, a risk-free rate of 0, no taxes, no borrowing."


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Describe data, labels, training, calibration and decisions with this run's own figures."""
    run = facts.run
    if run is None:
        return [Missing(text="The training run of the model is not in the lake.", command="trader run")]
    items = (
        _data(facts),
        _features(run),
        _labels(facts),
        _models(run),
        _VALIDATION,
        _decisions(facts),
        f"Assumptions: {facts.fills}, {_ASSUMPTIONS}",
    )
    read = ("core.accepted_bars", "training.runs", "training.trials")
    return [Bullets(items=items, sources=read), *_folds(facts), *_calibration(facts), *ensemble.blocks(facts)]


def _data(facts: Facts) -> str:
    span = facts.span
    size = f"{formats.plural(span['tickers'], 'ticker')}, {formats.plural(span['sessions'], 'session')}"
    return (
        f"Data: daily bars from {span['source'] or 'no source'}, {size} from {span['first_session']} to {span['last_session']}; "
        f"as traded, adjusted for splits in the pipeline ({facts.return_kind}). A bar is known 30 minutes after the close; only bars that "
        "passed the checks are read."
    )


def _features(run: Row) -> str:
    count = len([name for name in run["features"].split(",") if name])
    return f"Features: {count}, over up to 252 sessions, on forward-adjusted prices, so that a later split never changes history."


def _labels(facts: Facts) -> str:
    enters = "at that close, for the data hold no opens" if facts.at_close else "at the next open"
    return (
        f"Labels: a forecast made after the close of a session enters {enters} and leaves at the close 1, 5, 20 or 60 sessions on. "
        f"{_TARGETS}"
    )


def _models(run: Row) -> str:
    trained = f"{formats.plural(run['tickers'], 'ticker')} and {formats.plural(run['sessions'], 'session')}"
    return (
        f"Models: {run['members'].replace(',', ', ')} (recipe {run['recipe']}, seed {run['seed']}), trained on {trained}, "
        f"labels through {run['trained_through']}. Members count equally unless earlier folds found fitted weights better."
    )


def _decisions(facts: Facts) -> str:
    rules = facts.settings.decisions
    blend = f"{formats.percent(rules.momentum_weight, 0)} momentum and {formats.percent(rules.ml_weight, 0)} ML"
    limits = f"at most {formats.percent(rules.name_limit, 0)} an issuer and {formats.percent(rules.gross_limit, 0)} in all"
    return f"Decisions: {blend} on one cross-sectional scale, sized by volatility, {limits}. Long only."


def _folds(facts: Facts) -> list[AnyBlock]:
    folds = facts.ask(
        """select fold, min(train_first) as train_first, min(train_last) as last_longest, max(train_last) as train_last,
                  min(test_first) as test_first, max(test_last) as test_last, max(rows) as rows
           from training.trials where model_id = ? and fold >= 0 group by fold order by fold""",
        [facts.model_id],
    )
    if not folds:
        return []
    return [
        Grid(
            title="Walk-forward folds",
            columns=("Fold", "<Trained on labels of 60 … 1 sessions", "<Tested on", "Labels, at most"),
            rows=tuple(
                (
                    str(row["fold"]),
                    f"{row['train_first']} to {row['last_longest']} … {row['train_last']}",
                    f"{row['test_first']} to {row['test_last']}",
                    formats.count(row["rows"]),
                )
                for row in folds
            ),
            sources=("training.trials",),
        )
    ]


def _calibration(facts: Facts) -> list[AnyBlock]:
    rows = facts.ask(
        "select * from training.calibration where model_id = ? and fold = -1 order by horizon_sessions, model = 'ensemble', model",
        [facts.model_id],
    )
    if not rows:
        return []
    return [
        Grid(
            title="Calibration that serves",
            columns=(
                "Sessions",
                "<Of",
                "Base rate up",
                "P(up) of score",
                "of mean",
                "P(beats peers) slope",
                "Mean slope",
                "Interval factor",
                "Labels",
            ),
            rows=tuple(
                (
                    str(row["horizon_sessions"]),
                    row["model"],
                    formats.percent(row["base_rate"]),
                    *("pooled" if row["pooled"] else formats.number(row[name], 3) for name in ("up_score_slope", "up_shrink")),
                    *(formats.number(row[name], 3) for name in ("outperform_shrink", "mean_shrink", "interval_scale")),
                    formats.count(row["rows"]),
                )
                for row in rows
            ),
            note="A slope of 0 means that the folds gave no reason to move away from the base rate; 1 would be the model's own strength. "
            "Pooled is the weighted mean of the members' calibrated probabilities, as logits.",
            sources=("training.calibration",),
        )
    ]


SECTION = Section(key="methodology", title="Methodology", build=build)
