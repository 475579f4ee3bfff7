"""What stands beside the daily predictions: why, what changed since the session before, and how they came out."""

from trader_pipeline.schema.columns import (
    DATA_VERSION,
    HORIZON,
    MODEL,
    MODEL_ID,
    RUN_ID,
    SESSION,
    TICKER,
    count,
    day,
    flag,
    instant,
    number,
    text,
)
from trader_pipeline.schema.table import Table

BASE_VALUE, ALL_OTHERS = "base value", "all others"
"""Stand in the column `feature` of predictions.explanations for what is no feature: rank 0 and the last rank."""
NEW, LOST, FLIPPED, MOVED, SAME = "new", "lost", "flipped", "moved", "same"
"""Column `kind` of predictions.changes."""
DATA, MODEL_CAUSE, PRICE = "data", "model", "price"
"""Column `cause` of predictions.changes."""

NOT_LOGGED = """
with sessions as (
    select session, row_number() over (order by session) as place from (
        select distinct session from core.accepted_bars
        where session <= $newest and session >= (select min(session) from predictions.daily)
    )
), unlogged as (
    select (select max(place) from sessions) - s.place >= p.horizon_sessions as is_over
    from predictions.daily p left join sessions s using (session) anti join predictions.paper_log l using (session, ticker, horizon_sessions)
    where $ticker is null or p.ticker = $ticker
)
select count(*) filter (is_over is not true) as waiting, count(*) filter (is_over) as without_outcome from unlogged
"""
"""How many predictions wait for the end of their horizon by the session $newest, and how many are over without an outcome: a price at
entry or exit is not accepted, there was no probability, or no run has logged them yet. One that was logged counts once, also where its
prediction is gone or made anew."""

_MADE_AT = instant("made_at", "When the row was computed.")

EXPLANATIONS = Table(
    layer="predictions",
    name="explanations",
    year_of="session",
    key=("session", "ticker", "horizon_sessions", "model", "rank"),
    description="Why: a score's base value, its five largest contributions and all others. They sum to the score, but for the completeness error.",
    columns=(
        SESSION,
        TICKER,
        HORIZON,
        MODEL,
        count("rank", "-", "0 is the base value, 1 the largest contribution by amount, 6 all others together."),
        text("feature", "Feature of features.panel; `base value`; `all others`."),
        number(
            "contribution",
            "z",
            "What it adds to the score, standardized over the session's tickers as in predictions.daily. Of linear models and trees told from the session's mean.",
        ),
        number("value", "per feature", "The feature's value; null where it is null, and of base value and all others."),
        text("method", "linear, tree_shap, integrated_gradients (own features; peers and market as they are), or weighted_sum (ensemble)."),
        number("score", "z", "The model's score: of the ensemble that of predictions.daily."),
        number("completeness_error", "z", "score less the sum of all its contributions."),
        MODEL_ID,
        DATA_VERSION,
        _MADE_AT,
        RUN_ID,
    ),
)
CHANGES = Table(
    layer="predictions",
    name="changes",
    year_of="session",
    key=("session", "ticker", "horizon_sessions"),
    description="What changed since the session before that has predictions, and what it is put down to.",
    columns=(
        SESSION,
        TICKER,
        HORIZON,
        day("previous_session", "The session compared with."),
        text("kind", "new, lost, flipped (p_up on the other side of one half), moved (another rank), or same."),
        count("rank", "-", "Rank by score in the horizon, 1 is the best; null where lost.", nullable=True),
        count("previous_rank", "-", "Rank in the session before; null where new.", nullable=True),
        count("rank_move", "-", "previous_rank - rank: positive is up; null where new or lost.", nullable=True),
        number("score", "z", "Score."),
        number("previous_score", "z", "Score in the session before."),
        number("p_up", "probability", "Probability that the return is > 0."),
        number("previous_p_up", "probability", "The same in the session before."),
        number(
            "data_effect",
            "z",
            "What the earlier session's score became on today's data by its own model, less what was published: rows were corrected.",
        ),
        number("model_effect", "z", "What it became by today's model, less that by its own, both on today's data."),
        number("price_effect", "z", "Score less what today's model says of the earlier session: a session more of prices and facts."),
        text(
            "cause",
            "data, model or price: the largest effect by amount; of new and lost names data. Null where nothing changed.",
            nullable=True,
        ),
        MODEL_ID,
        text("previous_model_id", "Model of the session before."),
        DATA_VERSION,
        _MADE_AT,
        RUN_ID,
    ),
)
PAPER_LOG = Table(
    layer="predictions",
    name="paper_log",
    version=2,
    year_of="session",
    key=("session", "ticker", "horizon_sessions"),
    description="How predictions came out, added when the horizon has ended and never changed: enter at the next open (without opens at the close of t), leave at the close of t + h, or when delisted.",
    columns=(
        SESSION,
        TICKER,
        HORIZON,
        MODEL_ID,
        instant("predicted_at", "made_at of the prediction."),
        flag(
            "in_time", "Whether the prediction was made before the next session opened. One made later is hindsight and counts for nothing."
        ),
        number("return_mean", "fraction", "Predicted return."),
        number("p_up", "probability", "Predicted probability that the return is > 0."),
        number("base_rate", "probability", "Base rate that stood beside it."),
        number("score", "z", "Predicted score."),
        flag("abstained", "Whether the prediction abstained."),
        day("entry_session", "The session after; where `entry` is close, t itself."),
        number("entry_price", "price_unit / share", "Open of the entry session, as traded; where `entry` is close, its close."),
        day("exit_session", "t + h; of a security that ended before, its last session."),
        number("exit_price", "price_unit / share", "Close of the exit session, as traded."),
        number(
            "realised_return",
            "fraction",
            "Simple return from entry to exit over splits and dividends, before cost; where `ended`, with the delisting return.",
        ),
        number("benchmark_return", "fraction", "The benchmark's from entry to t + h."),
        count("position", "-", "1 where p_up is above one half, else -1: what following the prediction holds.", nullable=True),
        number("cost", "fraction", "Half spread 2 bp and commission 0.5 bp, in and out; no market impact, no borrow."),
        number("net_return", "fraction", "position * realised_return - cost."),
        instant("logged_at", "When the row was added; its figures are those known then."),
        DATA_VERSION,
        RUN_ID,
        text(
            "entry",
            "open: of the session after; close: of t, in a market without opens, where nobody could enter once it was known. Version 1 said open of both.",
            nullable=True,
            since=2,
        ),
        text(
            "ended",
            "Why the security ended before the horizon did, as in core.ticker_map: delisted or presumed; null where it did not. Version 1 left such out.",
            nullable=True,
            since=2,
        ),
    ),
)
TABLES = (EXPLANATIONS, CHANGES, PAPER_LOG)
