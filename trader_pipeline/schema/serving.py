"""How members become one forecast, which model serves, and whether it should go on: weights, diversity, promotions, drift."""

import pyarrow as pa

from trader_pipeline.schema.columns import FOLD, HORIZON, KNOWN_AT, MODEL, MODEL_ID, RUN_ID, SESSION, count, flag, instant, number, text
from trader_pipeline.schema.table import Column, Table

ENSEMBLE_WEIGHTS = Table(
    layer="training",
    name="ensemble_weights",
    key=("model_id", "fold", "horizon_sessions", "regime", "model"),
    description="How much each member counts, out of fold and in daily predictions alike. Those of fold f come from folds < f, purged; fold -1 serves.",
    columns=(
        MODEL_ID,
        FOLD,
        HORIZON,
        text("regime", "calm, middle or wild: the third of the universe's median volatility_daily so far that the session is in."),
        MODEL,
        number("weight", "fraction", "What counts: fitted_weight where adopted, else the same for each. Sums to 1 over the members."),
        number("fitted_weight", "fraction", "Non-negative least squares on earlier folds' ranks, shrunk half-way to equal."),
        flag("adopted", "Whether the gain is over its standard error."),
        number("gain", "-", "Mean daily rank IC with fitted weights of earlier folds less that with equal ones."),
        number("gain_half_width", "-", "Half its 95 % interval."),
        count("sessions", "sessions", "Sessions of the regime that the weights were fitted on."),
        text("method", "equal, stacked or regime."),
        text("average", "plain, or confidence: multiplied by 0.25 + the member's confidence."),
        KNOWN_AT,
    ),
)
DIVERSITY = Table(
    layer="training",
    name="diversity",
    key=("model_id", "horizon_sessions", "model", "other"),
    description="How alike members are out of fold; the lower the correlation of errors, the more an ensemble gains.",
    columns=(
        MODEL_ID,
        HORIZON,
        MODEL,
        text("other", "The member beside it."),
        number("error_correlation", "-", "Pearson correlation of residual_rank - standardized score."),
        number("score_correlation", "-", "Pearson correlation of the standardized scores."),
        count("rows", "rows", "Rows that both forecast and whose label is known."),
        KNOWN_AT,
    ),
)
PROMOTIONS = Table(
    layer="evaluation",
    name="promotions",
    key=("decided_at", "model_id"),
    description="Which model serves, and who decided it when and why. Rows are added, never changed.",
    columns=(
        MODEL_ID,
        text("action", "promoted, refused or rolled back: what became of the model."),
        text("serves", "Model that serves from then on; null where none does.", nullable=True),
        text("replaced", "Model that served before; null where it goes on, or none did.", nullable=True),
        number(
            "gain",
            "-",
            "Daily rank IC less the champion's, on what both forecast out of fold: mean over the horizons, weighted by 1 / half width of their 95 % intervals squared; NaN where none has an interval.",
        ),
        text("why", "One line: the difference by horizon with its 95 % interval, the leak alarm, or what somebody said."),
        text("who", "gate, or the user who decided."),
        instant("counts_from", "Moment of knowledge from which it counts: what is predicted as of an earlier one does not know of it."),
        instant("decided_at", "When it was decided."),
        RUN_ID,
    ),
)
DRIFT = Table(
    layer="evaluation",
    name="drift",
    year_of="session",
    key=("session", "measure", "horizon_sessions", "feature"),
    description="Whether the model that predicted the session still lives in the market that it was trained on.",
    columns=(
        SESSION,
        MODEL_ID,
        text(
            "measure",
            "features: share of features over their limit; feature: PSI of one that is; rank_ic: live beside out of fold; expected_accuracy: accuracy out of fold + how far mean max(p_up, 1 - p_up) moved since, which needs no label.",
        ),
        Column(name="horizon_sessions", dtype=pa.int16(), unit="sessions", description="How far ahead; 0 where it is about features."),
        text("feature", "Feature; empty where it is about all."),
        number("value", "-", "What was measured."),
        number("limit", "-", "Where drift begins: over it for features, under it for the others."),
        flag("alarm", "Whether the limit is passed; a live rank IC alarms only where its interval lies under it, from 20 windows on."),
        text("said", "One line."),
        RUN_ID,
    ),
)
TABLES = (ENSEMBLE_WEIGHTS, DIVERSITY, PROMOTIONS, DRIFT)
