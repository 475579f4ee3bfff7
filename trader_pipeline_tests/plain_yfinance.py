"""yfinance as everybody uses it, pointed at the fake Yahoo: what ours is compared with."""

import warnings
from contextlib import contextmanager
from urllib.parse import urlsplit

import yfinance
from curl_cffi.requests import Session
from yfinance import cache
from yfinance.data import YfData


class Redirected(Session):
    """A plain session whose requests go to `base` instead of Yahoo."""

    def __init__(self, base):
        super().__init__(impersonate="chrome")
        self._base = base

    def request(self, method, url, *args, **kwargs):
        target = urlsplit(url)
        query = f"?{target.query}" if target.query else ""
        return super().request(method, f"{self._base}{target.path or '/'}{query}", *args, **kwargs)


@contextmanager
def plain_yfinance(url):
    """Yield a session for yfinance's own classes; nothing of it is left in the process."""
    hidden = yfinance.config.debug.hide_exceptions
    yfinance.config.debug.hide_exceptions = False
    cache._TzCacheManager._tz_cache = cache._TzCacheDummy()
    cache._CookieCacheManager._Cookie_cache = cache._CookieCacheDummy()
    with Redirected(url) as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # yfinance's use of pandas
        shared = YfData(session=session)
        shared._crumb = shared._cookie = None
        shared.cache_get.cache_clear()
        try:
            yield session
        finally:
            yfinance.config.debug.hide_exceptions = hidden
            shared.cache_get.cache_clear()


def history(ticker, session, **span):
    """Return yfinance's own reading of a chart: as traded columns, actions, null sessions."""
    client = yfinance.Ticker(ticker, session=session)
    client._tz = "UTC"
    return client.history(interval="1d", auto_adjust=False, actions=True, keepna=True, **span), client
