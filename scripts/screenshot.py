"""Take the README's picture of the dashboard: `python scripts/screenshot.py` after `make demo` writes docs/dashboard.png.

The home and the dataset come from the settings (TRADER_HOME, TRADER_DATASET); the browser from TRADER_CHROMIUM or the PATH.
"""

import argparse
import shutil
import sys
import threading
from pathlib import Path

import uvicorn
from playwright.sync_api import sync_playwright

from trader_pipeline.dashboard.app import create_app
from trader_pipeline.dashboard.serve import bind
from trader_pipeline.settings import Settings

LARGEST_BYTES = 300_000
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--no-first-run",
)


def main() -> int:
    """Serve the dashboard on a free port, photograph one page, and say how large the picture is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", default="/?horizon=5", help="page of the dashboard")
    parser.add_argument("--out", type=Path, default=Path("docs/dashboard.png"))
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--size", default="1440x760", help="width x height in CSS pixels")
    arguments = parser.parse_args()
    settings = Settings()
    browser_path = settings.chromium or shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        print("no browser: install Chromium or name one in TRADER_CHROMIUM", file=sys.stderr)
        return 2
    width, height = (int(n) for n in arguments.size.split("x"))
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=list(ARGUMENTS))
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=arguments.scheme)
            answer = page.goto(f"http://127.0.0.1:{listener.getsockname()[1]}{arguments.page}")
            if page.locator("#chart").count():
                page.wait_for_selector("#chart[data-drawn]")
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(arguments.out))
            browser.close()
    finally:
        server.should_exit = True
        thread.join(timeout=10)
    size = arguments.out.stat().st_size
    print(f"{arguments.out}: {size:,} bytes, page answered {answer.status if answer else 'nothing'}")
    return 0 if answer and answer.ok and size < LARGEST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
