"""Headlines of the simulated market: about one a ticker and week, whose tone is the sign of the characteristic z behind noise.

Prices know nothing of them. z pays, so a reader of headlines recovers a part of it and no more than the oracle.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.schema.columns import INSTANT

HEADLINES_PER_SESSION = 0.2
NOISE = 1.0
"""Standard deviation of what hides z, whose own is 1: the tone and z correlate with 0.56."""
_STREAM = 1
_HOURS_BEFORE_KNOWN = 20
_TITLES = {
    True: ("{} wins a great contract", "{} delights investors with strong profit", "{} success: excellent growth ahead"),
    False: ("{} suffers a terrible loss", "{} warns of weak demand and fraud", "{} failure: horrible quarter ahead"),
}


def headlines(z_TN: npt.NDArray[np.float64], tickers: Sequence[str], days_T: calendar.Days, exchange: str, seed: int) -> pa.Table:
    """Return the vendor columns of raw.simulated_news: headlines of session t come out in the 20 hours before its close + 30 min."""
    random = np.random.default_rng([seed, _STREAM])
    told_TN = random.random(z_TN.shape) < HEADLINES_PER_SESSION
    good_TN = z_TN + NOISE * random.standard_normal(z_TN.shape) > 0
    before_TN = np.round(random.random(z_TN.shape) * _HOURS_BEFORE_KNOWN * 3600).astype("timedelta64[s]")
    title_TN = random.integers(0, len(_TITLES[True]), z_TN.shape)
    t, n = np.nonzero(told_TN)
    names = [tickers[j] for j in n.tolist()]
    published = calendar.known_at_array(exchange, days_T)[t] - before_TN[t, n]
    titles = [_TITLES[good][k].format(name) for good, k, name in zip(good_TN[t, n].tolist(), title_TN[t, n].tolist(), names, strict=True)]
    return pa.table(
        {
            "ticker": pa.array(names, pa.string()),
            "news_id": pc.cast(pa.array(np.arange(len(t))), pa.string()),
            "published_at": pa.array(published, pa.timestamp("us")).cast(INSTANT),
            "title": pa.array(titles, pa.string()),
        }
    )


TO_CORE = """
    select ticker, news_id, published_at, published_at as known_at, 'released' as known_at_basis, 'simulated' as source, title,
           null::varchar as summary, null::varchar as publisher, null::varchar as url
    from news"""
