"""The page as a whole, in a real browser against a real server: its frame, languages, colours, key and safety."""

import re
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from api.page import FOLDER
from tests.browser import ask, go
from tests.serving import running_guide

VIEWS = ("chat", "compare", "search", "documents", "tables")


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_shows_everything_in_its_width(browser: Browser, page_url: str, view: str) -> None:
    with browser.new_context(locale="en-GB", viewport={"width": 375, "height": 720}) as context:
        page = context.new_page()
        page.goto(f"{page_url}/#/{view}")
        page.locator("h1").first.wait_for()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_a_phone_shows_answers_and_passages_in_its_width(browser: Browser, page_url: str) -> None:
    with browser.new_context(locale="en-GB", viewport={"width": 375, "height": 720}) as context:
        page = context.new_page()
        page.goto(page_url)
        ask(page, "怎么查看当前的 peft 版本？").locator("summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        go(page, "search")
        page.get_by_label("Kind").select_option("code")
        page.get_by_role("searchbox").fill("peft")
        page.keyboard.press("Enter")
        expect(page.locator(".hit")).to_have_count(10)
        assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_each_view_has_one_title(page: Page) -> None:
    ask(page, "QLoRA 的适用场景是什么？")
    for place in (*VIEWS, "documents/using_lora_models.md"):
        page.goto(f"{page.url.partition('#')[0]}#/{place}")
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text("本地部署开源大模型")


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(theme: int) -> None:
    """By 4.5 to 1 at least, as WCAG 2.2 asks at level AA."""
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    colours = {name: pair[theme] for name, *pair in re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", style)}
    for text in ("ink", "faint", "accent", "danger", "likely", "doubtful"):
        for ground in ("paper", "sheet", "raised"):
            dark, light = sorted(luminance(colours[name]) for name in (text, ground))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
    assert "opacity: .8" not in style


def test_language_and_colours_are_chosen_and_kept(page: Page) -> None:
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Documents")).to_be_visible()
    page.get_by_role("button", name="Colours").click()
    page.get_by_role("button", name="Colours: light").click()
    page.reload()
    expect(page.get_by_role("link", name="Documents")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_keyboard_passes_over_the_menu(page: Page) -> None:
    go(page, "tables")
    page.reload()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到内容")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_a_server_with_a_key_is_asked_with_it(browser: Browser, tmp_path: Path) -> None:
    with running_guide(tmp_path, GUIDE_API_KEY="secret") as url, browser.new_context(locale="zh-CN") as context:
        page = context.new_page()
        page.goto(f"{url}/#/documents")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        banner = page.locator(".banner")
        expect(banner).to_contain_text("服务器需要密钥")
        go(page, "documents")
        dialog.get_by_label("密钥").fill("another")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("这个密钥不对")
        dialog.get_by_label("密钥").fill("secret")
        page.keyboard.press("Enter")
        expect(page.locator(".empty")).to_contain_text("还没有文档")
        expect(dialog).to_have_count(0)
        expect(banner).to_contain_text("知识库还是空的")


def test_the_page_may_load_nothing_from_elsewhere(page_url: str) -> None:
    for path in ("/", "/page/app.js", "/page/style.css"):
        headers = httpx2.get(f"{page_url}{path}").headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
    assert httpx2.get(f"{page_url}/page/../app.py").status_code == 404


def test_nothing_is_written_as_markup() -> None:
    scripts = {script.name: script.read_text(encoding="utf-8") for script in FOLDER.glob("*.js")}
    assert scripts
    for script in scripts.values():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|https?://", script)


def test_both_languages_have_the_same_phrases() -> None:
    chinese, english = (FOLDER / "words.js").read_text(encoding="utf-8").split("\n  en: {")
    phrase = re.compile(r'^    (\w+):\s+(".*?[^\\]"),$', re.MULTILINE)
    words = [dict(phrase.findall(part)) for part in (chinese, english)]
    assert set(words[0]) == set(words[1])
    for key, said in words[0].items():
        assert sorted(re.findall(r"\{\w+\}", said)) == sorted(re.findall(r"\{\w+\}", words[1][key]))


def test_a_server_that_comes_back_is_noticed(page: Page) -> None:
    ready = re.compile("/ready$")
    page.route(ready, lambda route: route.abort())
    page.reload()
    banner = page.get_by_text("连不上服务器")
    expect(banner).to_be_visible()
    page.unroute(ready)
    expect(banner).to_be_hidden()


def test_a_link_that_was_cut_off_says_that_there_is_no_such_document(page: Page, page_url: str) -> None:
    page.goto(f"{page_url}/#/documents/%E4%A")
    expect(page.locator("main .problem")).to_contain_text("没有找到所指的文档")


def test_an_answer_in_markdown_is_set_as_such(page: Page) -> None:
    answer = """### 比较

1. 先装 `peft`
2. 再加载

| 方法 | 显存 |
|---|:-:|
| **LoRA** | 低 | [1]

- a|b
"""
    shown = page.evaluate_handle(
        """async (answer) => {
            const { prose } = await import("/page/prose.js");
            const place = document.createElement("div");
            place.append(...prose(answer, () => ({ n: 1, source: "a.md", lines: [1, 1] }), () => {}));
            return place;
        }""",
        answer,
    )
    tags = shown.evaluate("place => [...place.children].map(({ tagName, className }) => tagName + className)")
    assert tags == ["Pheading", "OL", "DIVwide", "UL"]
    cells = shown.evaluate("place => [...place.querySelectorAll('th, td')].map(({ innerText }) => innerText)")
    assert cells == ["方法", "显存", "LoRA", "低 [1]"]
    assert shown.evaluate("place => place.querySelectorAll('td button, td strong').length") == 2
