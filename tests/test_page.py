"""The page in a real browser, against a real server: ask, open a citation, compare, send a damaged file, delete."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from openpyxl import Workbook
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from api.page import FOLDER
from api.services import Services
from tests.browser import chromium, find_chromium
from tests.packed import saved
from tests.serving import running_guide

QUESTION = "QLoRA 的适用场景是什么？"
DAMAGED = "using_lora_models.md"
VIEWS = ("chat", "compare", "search", "documents", "tables")
SLOW = 180_000  # milliseconds at most for what waits for a model, on a machine that has other work to do
CLEAN = "# 荡秋千\n\n" + "荡秋千的时候，在最低处蹲下，在最高处站起，秋千就会越荡越高，因为人在做功。\n\n" * 6
BEGUN = 'data: {"model": "chat", "choices": [{"delta": {"content": "微调"}}]}\n\n'
HOSTILE = """\
# <img src=x onerror="window.stolen = 1">

<script>window.stolen = 1</script> [x](javascript:window.stolen=1)
"""


@pytest.fixture(scope="module")
def url(spare_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a copy of the guide, for tests that change it."""
    home = tmp_path_factory.mktemp("page") / "home"
    shutil.copytree(spare_home, home)
    with running_guide(home) as url:
        yield url


expect.set_options(timeout=SLOW / 6)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on this machine: `apt-get install chromium` brings one")
    with chromium(path) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """A Chinese visitor's page, which must ask this server alone and complain of nothing."""
    with browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.set_default_timeout(SLOW)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None
        )
        page.on("request", lambda asked: None if asked.url.startswith(url) else complaints.append(asked.url))
        page.goto(url)
        yield page
        assert complaints == []


def go(page: Page, view: str) -> None:
    page.locator(f"nav a[data-view={view}]").click()


def ask(page: Page, question: str) -> Locator:
    """Asks in the chat and waits for the answer; returns its turn."""
    field = page.get_by_role("textbox", name="问题")
    field.fill(question)
    field.press("Enter")
    turn = page.locator(".turn").last
    expect(turn).to_have_class(re.compile("done"), timeout=SLOW)
    return turn


def test_an_answer_is_asked_for_and_its_citation_opened(page: Page, services: Services) -> None:
    turn = ask(page, QUESTION)
    cite = turn.locator(".cite").first
    cite.click()
    answer = services.ask(QUESTION)
    panel = page.get_by_role("complementary")
    expect(panel.locator("mark")).to_have_text(answer.citations[0].quote)
    expect(panel.locator("mark")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(cite).to_be_focused()


def test_a_conversation_goes_on(page: Page) -> None:
    ask(page, QUESTION)
    ask(page, "那 AdaLoRA 呢？")
    expect(page.locator(".turn")).to_have_count(2)
    go(page, "search")
    go(page, "chat")
    expect(page.locator(".turn")).to_have_count(2)
    page.get_by_role("button", name="新对话").click()
    expect(page.locator(".turn")).to_have_count(0)


def test_the_model_answers_alone_and_is_stopped(page: Page) -> None:
    page.get_by_label("依据文档回答").uncheck()
    turn = ask(page, QUESTION)
    expect(turn.get_by_text("未检索文档")).to_be_visible()
    expect(turn.locator(".cite")).to_have_count(0)
    page.route(re.compile(r"/v1/(ask|chat)"), lambda _: None)  # the small model would be done before it is stopped
    field = page.get_by_role("textbox", name="问题")
    field.fill("请详细介绍一下大语言模型的历史。")
    field.press("Enter")
    page.get_by_role("button", name="停止").click()
    expect(page.locator(".turn").last).to_have_class(re.compile("stopped"))


def test_a_conversation_outlives_a_reload(page: Page) -> None:
    answer = ask(page, QUESTION).locator(".answer").inner_text()
    page.reload()
    expect(page.locator(".turn .answer")).to_have_text(answer, use_inner_text=True)
    page.locator(".turn .cite").first.click()
    expect(page.get_by_role("complementary").locator("mark")).to_be_in_viewport()
    page.get_by_role("button", name="新对话").click()
    page.reload()
    expect(page.locator(".welcome")).to_be_visible()


@pytest.mark.parametrize("broken", [{"status": 429, "json": {"detail": "busy"}}, {"body": BEGUN}, None])
def test_a_question_that_was_not_answered_is_there_to_be_sent_again(
    page: Page, broken: dict[str, object] | None
) -> None:
    """The server is busy, its stream breaks off, or it is not there."""
    chats = re.compile("/v1/chat/completions")
    page.route(chats, lambda route: route.fulfill(**broken) if broken else route.abort())
    field = page.get_by_role("textbox", name="问题")
    long = "问" * 4001  # refused, but not cut off unseen
    field.fill(long)
    field.press("Enter")
    expect(page.locator(".turn")).to_have_class(re.compile("failed"))
    expect(page.locator(".turn .problem")).to_be_visible()
    expect(field).to_have_value(long)
    field.fill(QUESTION)
    field.press("Enter")
    expect(page.locator(".turn.failed")).to_have_count(2)
    page.unroute(chats)
    field.press("Enter")
    expect(page.locator(".turn").last).to_have_class(re.compile("done"), timeout=SLOW)
    expect(page.locator(".turn")).to_have_count(2)
    expect(field).to_have_value("")


def test_an_answer_is_copied_where_the_page_came_without_tls(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read"])
    turn = ask(page, QUESTION)
    clipboard = page.evaluate_handle("navigator.clipboard")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    turn.get_by_role("button", name="复制").click()
    expect(turn.get_by_role("button", name="已复制")).to_be_focused()
    assert "大模型微调" in clipboard.evaluate("async (clipboard) => clipboard.readText()")


def test_four_answers_stand_side_by_side(page: Page) -> None:
    go(page, "compare")
    page.get_by_role("searchbox").fill(QUESTION)
    page.keyboard.press("Enter")
    variants = page.locator(".variant")
    expect(variants).to_have_count(4, timeout=SLOW)
    for variant in variants.all():
        expect(variant).to_contain_text("秒")
        expect(variant).to_contain_text(re.compile("%|拒答"))


def test_a_passage_is_found_and_opened(page: Page) -> None:
    go(page, "search")
    page.get_by_role("searchbox").fill(QUESTION)
    page.keyboard.press("Enter")
    page.locator(".hit .source").first.click()
    expect(page.get_by_role("complementary").locator("mark").first).to_contain_text("QLoRA")


def test_a_damaged_file_is_sent_read_beside_its_original_and_deleted(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "秋千 笔记.md"
    file.write_text(CLEAN.encode().decode("gbk", errors="replace"), encoding="utf-8")
    go(page, "documents")
    page.locator("input[type=file]").set_input_files(file)
    news = page.locator(".uploads li")
    expect(news).to_contain_text("还原乱码（UTF-8 误读作 GBK，有字节被替换）", timeout=SLOW)
    news.get_by_role("link").click()

    expect(page.locator(".line").nth(2)).to_contain_text("荡秋千的时候，在最低处蹲下")
    page.get_by_label("与原文对照").check()
    expect(page.locator(".received").first).to_be_visible()
    page.locator(".inferred").last.click()
    expect(page.locator(".about")).to_contain_text("把握")
    page.keyboard.press("Escape")
    expect(page.locator(".about")).to_have_count(0)

    go(page, "documents")
    row = page.get_by_role("row").filter(has_text=file.name)
    row.get_by_role("button", name="删除").click()
    page.keyboard.press("Escape")  # thought better of it
    row.get_by_role("button", name="删除").click()
    page.get_by_role("dialog").get_by_role("button", name="删除").click()
    expect(row).to_have_count(0)


def test_a_gbk_file_is_taken_in_under_its_name_and_asked_over(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "笔记.txt"
    file.write_bytes("# 蒸馒头\n\n蒸馒头要先用大火烧开水，再转中火蒸二十分钟。\n".encode("gbk"))
    go(page, "documents")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.locator(".uploads li")).to_contain_text("1 个段落", timeout=SLOW)
    go(page, "chat")
    expect(ask(page, "蒸馒头要蒸多久？")).to_contain_text("二十分钟")


def test_what_a_document_says_is_shown_and_never_run(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "hostile.md"
    file.write_text(HOSTILE, encoding="utf-8")
    go(page, "documents")
    page.locator("input[type=file]").set_input_files(file)
    page.locator(".uploads li").get_by_role("link").click()
    expect(page.locator(".lines")).to_contain_text("<script>window.stolen = 1</script>")
    go(page, "search")
    page.get_by_role("searchbox").fill("window.stolen")
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_be_visible()
    assert page.evaluate("window.stolen") is None
    assert page.locator("main img, main script").count() == 0


def test_damage_is_told_in_words(page: Page) -> None:
    told = {
        "cp1254_dropped": "UTF-8 误读作 Windows-1254，有字节丢失",
        "mac_roman": "UTF-8 误读作 Mac Roman",
        "iso8859-15_replaced": "UTF-8 误读作 ISO 8859-15，有字节被替换",
        "gb18030_as_latin-1": "GB18030 误读作 Latin-1",
        "inconsistent_utf8": "个别字符的 UTF-8 误读",
    }
    in_words = "kinds => import('/page/damage.js').then(damage => damage.damageInWords(kinds))"
    assert page.evaluate(in_words, list(told)) == "；".join(told.values())


def test_tables_are_filtered_and_lead_to_their_row(page: Page) -> None:
    go(page, "tables")
    page.get_by_role("searchbox").fill("P-Tuning v2 NLU")
    row = page.locator(".table tbody tr")
    expect(row).to_have_count(1)
    row.get_by_role("button").click()
    expect(page.get_by_role("complementary").locator("mark")).to_contain_text("P-Tuning v2")


def test_inferred_characters_are_told_apart(page: Page, url: str) -> None:
    page.goto(f"{url}/#/documents/{DAMAGED}")
    page.get_by_role("button", name="下一处存疑").click()
    expect(page.locator(".about")).to_contain_text("其他可能")
    expect(page.locator(".inferred.doubtful").first).to_be_attached()


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_shows_everything_in_its_width(browser: Browser, url: str, view: str) -> None:
    with browser.new_context(locale="en-GB", viewport={"width": 375, "height": 720}) as context:
        page = context.new_page()
        page.goto(f"{url}/#/{view}")
        page.locator("h1").first.wait_for()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_each_view_has_one_title(page: Page) -> None:
    ask(page, QUESTION)
    for place in (*VIEWS, f"documents/{DAMAGED}"):
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


@pytest.mark.parametrize(("locale", "one_language"), [("en-GB", r"What[ -~]+\?"), ("zh-CN", r".*是什么？")])
def test_questions_to_try_are_in_the_language_of_the_page(
    browser: Browser, url: str, locale: str, one_language: str
) -> None:
    with browser.new_context(locale=locale) as context:
        page = context.new_page()
        page.goto(f"{url}/#/search")
        to_try = page.locator(".tries button")
        expect(to_try).to_have_text([re.compile(one_language)] * 3)
        to_try.first.click()
        expect(page.locator(".hit").first).to_be_visible(timeout=SLOW)
        expect(to_try).to_have_count(0)


def test_what_is_refused_is_said_in_chinese_and_in_the_servers_words(page: Page) -> None:
    go(page, "documents")
    empty: FilePayload = {"name": "空.md", "mimeType": "text/plain", "buffer": b""}
    page.locator("input[type=file]").set_input_files(empty)
    told = page.locator(".uploads .problem")
    expect(told).to_contain_text("服务器没有接受")
    expect(told.locator("small[lang=en]")).to_contain_text("空.md: the document is empty")


def test_a_workbook_is_taken_in(page: Page) -> None:
    go(page, "documents")
    workbook = Workbook()
    workbook.active.append(["水果", "颜色"])
    workbook.active.append(["火龙果", "玫红"])
    page.locator("input[type=file]").set_input_files(
        {"name": "水果.xlsx", "mimeType": "application/octet-stream", "buffer": saved(workbook)}
    )
    page.locator(".uploads li").get_by_role("link").click(timeout=SLOW)
    expect(page.locator(".lines")).to_contain_text("| 火龙果 | 玫红 |")


def test_of_a_dropped_folder_is_said_how_to_take_it_in(page: Page) -> None:
    go(page, "documents")
    page.evaluate(
        """() => {
            const sent = new DataTransfer();
            sent.items.add(new File(["# 拖来的\\n\\n拖来的一份。"], "拖来的.md"));
            sent.items.add(new File([""], "资料"));
            const entry = DataTransferItem.prototype.webkitGetAsEntry;
            DataTransferItem.prototype.webkitGetAsEntry = function () {
                const { name } = this.getAsFile();
                return { name, isDirectory: name === "资料" };
            };
            document.querySelector(".drop").dispatchEvent(new DragEvent("drop", { dataTransfer: sent }));
            DataTransferItem.prototype.webkitGetAsEntry = entry;
        }"""
    )
    expect(page.locator(".uploads li")).to_have_count(2)
    expect(page.locator(".uploads .problem")).to_contain_text("guide ingest")
    expect(page.locator(".uploads li").filter(has_text="拖来的.md")).to_contain_text("已入库", timeout=SLOW)


def test_more_files_are_sent_than_may_wait(page: Page) -> None:
    go(page, "documents")
    files: list[FilePayload] = [
        {"name": f"{n}.md", "mimeType": "text/plain", "buffer": f"# {n}\n\n第 {n} 份。".encode()} for n in range(40)
    ]
    page.locator("input[type=file]").set_input_files(files)
    expect(page.locator(".uploads").get_by_text("已入库")).to_have_count(40, timeout=SLOW)


def test_an_empty_knowledge_base_is_said_to_be_empty(browser: Browser, tmp_path: Path) -> None:
    with running_guide(tmp_path) as url, browser.new_context(locale="zh-CN") as context:
        page = context.new_page()
        page.goto(f"{url}/#/documents")
        expect(page.get_by_role("status").filter(has_text="知识库还是空的")).to_be_visible(timeout=SLOW)
        expect(page.locator(".empty")).to_contain_text("还没有文档")


def test_a_server_with_a_key_is_asked_with_it(browser: Browser, tmp_path: Path) -> None:
    with running_guide(tmp_path, GUIDE_API_KEY="secret") as url, browser.new_context(locale="zh-CN") as context:
        page = context.new_page()
        page.goto(f"{url}/#/documents")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("密钥").fill("another")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("这个密钥不对")
        dialog.get_by_label("密钥").fill("secret")
        page.keyboard.press("Enter")
        expect(page.locator(".empty")).to_contain_text("还没有文档")
        expect(dialog).to_have_count(0)


def test_the_page_may_load_nothing_from_elsewhere(url: str) -> None:
    for path in ("/", "/page/app.js", "/page/style.css"):
        headers = httpx2.get(f"{url}{path}").headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
    assert httpx2.get(f"{url}/page/../app.py").status_code == 404


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
