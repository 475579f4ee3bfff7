"""From scored headlines to counts and sums by session: a headline belongs to the first session at whose close it was known."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline.calendar import KNOWN_AFTER_CLOSE
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import KNOWN_AT, TICKER, number, text

Float = npt.NDArray[np.float64]

SCORED_NEWS = pa.schema(
    [
        pa.field(column.name, column.dtype)
        for column in (TICKER, KNOWN_AT, text("text_sha256", ""), text("model", "", nullable=True), number("score", "-", ""))
    ]
)
"""Headlines with what each model says: one row a headline and model, `model` and `score` null where none scored it."""
ALL = "headlines"


def headline_arrays(news: pa.Table, grid: Grid, known_at: npt.NDArray[np.datetime64]) -> Mapping[str, Float]:
    """Return [N, T] by name: `headlines`, and by model `<model>_headlines` (scored) and `<model>_score` (their sum).

    0 where there is none; NaN in the first session, since when its headlines began to be its own is not known, and before the
    first headline of any ticker. The same text of a ticker in one session counts once. No news at all gives no arrays: no
    coverage is not silence.
    """
    published = news["known_at"].cast(pa.int64()).to_numpy().view("datetime64[us]")
    closes = known_at - np.timedelta64(KNOWN_AFTER_CLOSE)
    row, column = grid.ticker_index(news["ticker"]), np.searchsorted(closes, published, side="left")
    inside = (row >= 0) & (column < len(grid.sessions))
    if not inside.any():
        return {}
    cell = (row * len(grid.sessions) + column)[inside]
    texts = np.asarray(news["text_sha256"].combine_chunks().dictionary_encode().indices)[inside]
    models, score = np.array(news["model"].to_pylist(), dtype=object)[inside], news["score"].to_numpy().astype(float)[inside]
    arrays = {ALL: _summed(cell, texts, np.ones(len(cell)), grid)}
    for model in sorted({name for name in models if name is not None}):
        own = models == model
        arrays[f"{model}_{ALL}"] = _summed(cell[own], texts[own], np.ones(int(own.sum())), grid)
        arrays[f"{model}_score"] = _summed(cell[own], texts[own], score[own], grid)
    return arrays


def _summed(cell: npt.NDArray[np.int64], texts: npt.NDArray[np.int32], values: Float, grid: Grid) -> Float:
    """Return the sum of one value a cell and text, [N, T], smallest first: rows in another order give the same bits."""
    order = np.lexsort((values, texts, cell))
    cell, texts, values = cell[order], texts[order], values[order]
    first = np.ones(len(cell), dtype=np.bool_)
    first[1:] = (cell[1:] != cell[:-1]) | (texts[1:] != texts[:-1])
    cell, values = cell[first], values[first]
    order = np.lexsort((values, cell))
    sums_NT = np.zeros(grid.shape)
    np.add.at(sums_NT.reshape(-1), cell[order], values[order])
    sums_NT[:, : max(1, int((cell % grid.shape[1]).min()))] = np.nan
    return sums_NT
