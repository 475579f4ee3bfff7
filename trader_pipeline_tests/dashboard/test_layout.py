"""Every page and the report fit a phone and a small desktop: nothing is cut or hidden, what is wider scrolls in a box."""

import pytest

from trader_pipeline.flows.report import report
from trader_pipeline_tests import published
from trader_pipeline_tests.dashboard.conftest import served, settings_of

pytestmark = pytest.mark.slow

PAGES = ("/", "/?horizon=all", "/ticker/AAPL", "/ticker/SPY", "/performance", "/performance?horizon=60", "/status", "/report")
REPORT = f"/report/{published.SESSION}"
LONG_NAME = "International Consolidated Industries (traded as ICI until 2014-04-02)"

FAULTS = """(width) => {
    const root = document.scrollingElement, faults = new Set();
    document.querySelectorAll("details").forEach((each) => { each.open = true; });
    if (root.scrollWidth > width) faults.add(`the page is ${root.scrollWidth} wide`);
    const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
    for (const cell of document.querySelectorAll("th, td")) {
        const name = cell.textContent.trim().slice(0, 40);
        if (!cell.checkVisibility()) { faults.add(`hidden: ${name}`); continue; }
        for (const part of [cell, ...cell.querySelectorAll(":not(svg, svg *)")])
            if (part.clientWidth && !scrolls(part) && part.scrollWidth > part.clientWidth + 1) faults.add(`wider than its box: ${name}`);
        const right = cell.getBoundingClientRect().right;
        for (let box = cell.parentElement; box && !scrolls(box); box = box.parentElement)
            if (getComputedStyle(box).overflowX !== "visible" && right > box.getBoundingClientRect().right + 1) faults.add(`cut: ${name}`);
    }
    for (const box of document.querySelectorAll("main *, article *"))
        if (scrolls(box) && box.scrollWidth > box.clientWidth && box.tabIndex !== 0) faults.add(`no key scrolls ${box.className}`);
    return [...faults];
}"""

FAINT = """() => {
    const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return { rgb: [r, g, b], a }; };
    const light = (rgb) => rgb.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
    const faint = new Set(), texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const said = texts.currentNode.textContent.trim(), element = texts.currentNode.parentElement;
        if (!said || !element.checkVisibility() || element.closest("script, style, .skip")) continue;
        const style = getComputedStyle(element), colour = parse(element.closest("svg") ? style.fill : style.color);
        let seen = colour.a, under = element;
        for (let each = element; each; each = each.parentElement) seen *= getComputedStyle(each).opacity;
        while (under.parentElement && parse(getComputedStyle(under).backgroundColor).a < 1) under = under.parentElement;
        const ground = parse(getComputedStyle(under).backgroundColor).rgb;
        const [dark, bright] = [ground, colour.rgb.map((v, n) => v * seen + ground[n] * (1 - seen))].map(light).sort((a, b) => a - b);
        if ((bright + 0.05) / (dark + 0.05) < 4.5) faint.add(said.slice(0, 40));
    }
    return [...faint];
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A home with a report, and a name too long for any column."""
    settings = settings_of(tmp_path_factory.mktemp("layout"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(published.NAMES, "BA", (LONG_NAME, "Communication Services", 336.0))
        lake = published.publish(settings)
    report(lake, settings, session=published.SESSION, made_at=published.MADE_AT)
    with served(settings) as address:
        yield address


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window_and_no_cell_is_cut(browser, address, width):
    context = browser.new_context(viewport={"width": width, "height": 844}, is_mobile=width == 390)
    page = context.new_page()
    for path in (*PAGES, REPORT):
        page.goto(address + path)
        for frame in page.frames:
            shown = frame.evaluate("innerWidth") if frame.parent_frame else width
            assert frame.evaluate(FAULTS, shown) == [], (path, frame.url)
    context.close()


@pytest.mark.parametrize("width", [1280, 1440, 1680, 1920])
def test_on_a_desktop_every_table_of_a_page_fits_without_scrolling(browser, address, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    for path in PAGES:
        page.goto(address + path)
        wide = page.eval_on_selector_all(
            ".scroll", "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => `${e.getAttribute('aria-label')} ${e.scrollWidth}`)"
        )
        assert wide == [], path
    page.close()


def test_the_report_prints_within_the_page(browser, address):
    page = browser.new_page(viewport={"width": 688, "height": 900})  # A4 less its margins
    page.emulate_media(media="print")
    page.goto(address + REPORT)
    assert page.evaluate("document.scrollingElement.scrollWidth") == 688
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(browser, address, scheme):
    """WCAG 2.2, 1.4.3: a contrast of 4.5, of what abstains too."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    for path in (*PAGES, REPORT, "/nowhere"):
        page.goto(address + path)
        assert page.evaluate(FAINT) == [], path
    context.close()
