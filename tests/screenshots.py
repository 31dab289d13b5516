"""Takes the pictures of the page in docs/images: `python -m tests.screenshots`, or `make screenshots`.

They show a real server over the guide, in a headless Chromium.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page

from api.services import Services
from kb.settings import ROOT, SOURCES, load_settings
from tests.browser import chromium, find_chromium
from tests.serving import running_guide

IMAGES = ROOT / "docs" / "images"
DAMAGED = "using_lora_models.md"
COLOURS = 256


def main() -> None:
    path = find_chromium()
    if path is None:
        sys.exit("No Chromium on this machine: `apt-get install chromium` brings one.")
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(home=Path(folder))
        with Services(settings) as services:
            list(services.pipeline.ingest([SOURCES]))
        with running_guide(settings.home) as url, chromium(path) as browser:
            take(browser, url)


def take(browser: Browser, url: str) -> None:
    with browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 760}) as context:
        page = context.new_page()
        page.goto(url)
        ask(page, "QLoRA 的适用场景是什么？")
        ask(page, "如何加载 LoRA 微调后的模型？")
        page.locator(".turn").last.locator(".cite").first.click()
        page.locator(".panel mark").first.wait_for()
        save(page, "page-chat")
        page.goto(f"{url}/#/documents/{DAMAGED}")
        page.get_by_label("与原文对照").check()
        page.get_by_role("button", name="下一处存疑").click()
        page.locator(".about").wait_for()
        save(page, "page-restored")
        page.goto(f"{url}/#/compare")
        page.get_by_role("searchbox").fill("QLoRA 的适用场景是什么？")
        page.keyboard.press("Enter")
        page.locator(".variant").first.wait_for(timeout=120_000)
        save(page, "page-compare")
    with browser.new_context(locale="en-GB", viewport={"width": 375, "height": 720}, color_scheme="dark") as context:
        page = context.new_page()
        page.goto(url)
        ask(page, "QLoRA 的适用场景是什么？")
        save(page, "page-phone")


def ask(page: Page, question: str) -> None:
    page.locator(".banner").wait_for(state="hidden", timeout=120_000)
    page.locator("textarea").fill(question)
    page.locator("textarea").press("Enter")
    page.locator(".turn.done").last.get_by_text(question).wait_for(timeout=120_000)


def save(page: Page, name: str) -> None:
    """Saves what is seen, in few colours so that the repository stays small."""
    from PIL import Image

    page.wait_for_timeout(300)  # for fonts and scrolling to settle; nothing is tested here
    file = IMAGES / f"{name}.png"
    page.screenshot(path=file)
    taken = Image.open(file).convert("RGB")
    taken.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    main()
