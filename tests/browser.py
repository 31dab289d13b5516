"""A headless Chromium, for tests and pictures of the page, and what both do there."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

SLOW = 180_000  # milliseconds at most for what waits for a model, on a machine that has other work to do
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_chromium() -> str | None:
    """The browser of this machine; Playwright's own is a download of its own and not asked for."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # What is shown is the project's own page, so that a machine without a sandbox for root does as well.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def go(page: Page, view: str) -> None:
    page.locator(f"nav a[data-view={view}]").click()


def ask(page: Page, question: str) -> Locator:
    """Asks in the chat and waits for the answer; returns its turn."""
    field = page.locator("textarea[name=question]")
    field.fill(question)
    field.press("Enter")
    turn = page.locator(".turn").last
    expect(turn).to_have_class(re.compile("done"), timeout=SLOW)
    return turn
