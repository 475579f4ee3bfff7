"""The dashboard in a real Chromium: it filters, sorts, draws, and asks no other host for anything."""

from urllib.parse import urlsplit

import pytest

from trader_pipeline_tests.dashboard.conftest import served, settings_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(home):
    with served(settings_of(home)) as address:
        yield address


class Watched:
    """A page with every request it made and everything it complained about."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
        self.requests, self.complaints = [], []
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))


@pytest.fixture
def watched(browser):
    watched = Watched(browser)
    yield watched
    watched.context.close()
    hosts = {urlsplit(url).hostname for url in watched.requests if urlsplit(url).scheme in ("http", "https", "ws", "wss")}
    assert hosts == {"127.0.0.1"}
    assert watched.complaints == []


def _tickers(page):
    return page.locator("#predictions tbody th a").all_inner_texts()


def _wait_for_rows(page, n):
    page.locator("#predictions tbody tr").nth(n - 1).wait_for()
    page.locator("#predictions tbody tr").nth(n).wait_for(state="detached")


def test_filter_sort_click_and_draw(watched, address):
    page = watched.page
    page.goto(address)
    assert len(_tickers(page)) == 11

    page.locator("label[for=horizon-20]").click()
    page.wait_for_url("**horizon=20**")
    page.locator("#q").press_sequentially("alpha")
    _wait_for_rows(page, 2)
    assert set(_tickers(page)) == {"GOOG", "GOOGL"}  # by name: Alphabet
    assert page.evaluate("document.activeElement.id") == "q"

    page.locator("#q").fill("")
    _wait_for_rows(page, 11)
    page.locator("#sort-ticker").click()
    page.wait_for_selector("th[aria-sort=ascending] #sort-ticker")
    ascending = _tickers(page)
    assert ascending == sorted(ascending)
    page.locator("#sort-ticker").click()
    page.wait_for_selector("th[aria-sort=descending] #sort-ticker")
    assert _tickers(page) == ascending[::-1]
    page.locator("#sector").select_option("Technology")
    _wait_for_rows(page, 3)
    assert _tickers(page) == ["NVDA", "AMD", "AAPL"]  # the sort stays
    assert "horizon=20" in page.locator("#csv").get_attribute("href")

    page.locator("#predictions a", has_text="AAPL").click()
    page.wait_for_selector("#chart[data-drawn='420']")
    assert page.locator("#chart canvas").count() > 0
    assert _painted(page)
    page.locator("button[data-sessions='252']").press("Enter")
    assert page.locator("button[data-sessions='252']").get_attribute("aria-pressed") == "true"
    page.go_back()
    page.wait_for_selector("#predictions")
    assert _tickers(page) == ["NVDA", "AMD", "AAPL"]


def _painted(page):
    """Say whether the chart's canvases hold more than a handful of colours: a fan and candles do, an empty pane does not."""
    colours = page.evaluate(
        """() => {
            const seen = new Set();
            for (const canvas of document.querySelectorAll("#chart canvas")) {
                if (!canvas.width || !canvas.height) continue;
                const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
                for (let i = 0; i < pixels.length; i += 7) seen.add(pixels[i]);
            }
            return seen.size;
        }"""
    )
    return colours > 20


def test_every_page_works_by_keyboard_and_in_both_schemes(browser, address):
    for scheme in ("light", "dark"):
        watched = Watched(browser, color_scheme=scheme)
        for path in ("/", "/ticker/BA", "/performance", "/status", "/report"):
            watched.page.goto(address + path)
        watched.page.goto(address + "/status")
        watched.page.keyboard.press("Tab")
        assert watched.page.evaluate("document.activeElement.textContent") == "Skip to content"
        watched.page.locator("summary", has_text="ohlc_order").press("Enter")
        assert watched.page.locator("details[open]").count() == 1
        background = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(background.split("(")[1].split(",")[0]) < 80) == (scheme == "dark")
        assert watched.complaints == []
        watched.context.close()


def test_nothing_moves_when_a_page_loads(watched, address):
    for path in ("/", "/ticker/AAPL"):
        watched.page.goto(address + path)
        if "ticker" in path:
            watched.page.wait_for_selector("#chart[data-drawn]")
        shift = watched.page.evaluate(
            """() => new Promise(resolve => {
                let total = 0;
                const observer = new PerformanceObserver(list => list.getEntries().forEach(e => { total += e.value; }));
                observer.observe({type: "layout-shift", buffered: true});
                setTimeout(() => resolve(total), 200);
            })"""
        )
        assert shift < 0.01


def test_without_script_the_pages_still_filter_and_sort(browser, address):
    watched = Watched(browser, java_script_enabled=False)
    watched.page.goto(address + "/?sector=Technology")
    watched.page.locator("#sort-ticker").click()
    assert _tickers(watched.page) == ["AAPL", "AMD", "NVDA"]
    watched.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_every_section_and_scrolls_only_down(browser, address, scheme):
    watched = Watched(browser, color_scheme=scheme, is_mobile=True)
    watched.page.set_viewport_size({"width": 390, "height": 844})
    for path, sections in (("/", ("changed", "paper")), ("/ticker/AAPL", ("why", "changed", "paper"))):
        watched.page.goto(address + path)
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= 390, path
        for name in sections:
            assert watched.page.locator(f"#{name}").is_visible(), name
    bars = watched.page.locator("#why .part rect")
    assert bars.count() == 4 * 7
    assert max(bars.nth(i).bounding_box()["width"] for i in range(7)) > 30
    assert watched.complaints == []
    watched.context.close()
