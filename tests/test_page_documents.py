"""Documents on the page, in a real browser against a real server: sent, read, deleted, and their tables."""

import re
from pathlib import Path

import httpx2
from openpyxl import Workbook
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.browser import SLOW, ask, go
from tests.packed import saved
from tests.serving import running_guide

DAMAGED = "using_lora_models.md"
CLEAN = "# 荡秋千\n\n" + "荡秋千的时候，在最低处蹲下，在最高处站起，秋千就会越荡越高，因为人在做功。\n\n" * 6
HOSTILE = """\
# <img src=x onerror="window.stolen = 1">

<script>window.stolen = 1</script> [x](javascript:window.stolen=1)
"""


def send(page: Page, name: str, data: bytes) -> None:
    sent: FilePayload = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    page.locator("input[type=file]").set_input_files(sent)


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


def test_inferred_characters_are_told_apart(page: Page, page_url: str) -> None:
    page.goto(f"{page_url}/#/documents/{DAMAGED}")
    page.get_by_role("button", name="下一处存疑").click()
    expect(page.locator(".about")).to_contain_text("其他可能")
    expect(page.locator(".inferred.doubtful").first).to_be_attached()


def test_tables_are_filtered_and_lead_to_their_row(page: Page) -> None:
    go(page, "tables")
    page.get_by_role("searchbox").fill("P-Tuning v2 NLU")
    row = page.locator(".table tbody tr")
    expect(row).to_have_count(1)
    row.get_by_role("button").click()
    expect(page.get_by_role("complementary").locator("mark")).to_contain_text("P-Tuning v2")


def test_what_is_refused_is_said_in_chinese_and_in_the_servers_words(page: Page) -> None:
    go(page, "documents")
    send(page, "空.md", b"")
    told = page.locator(".uploads .problem")
    expect(told).to_contain_text("服务器没有接受")
    expect(told.locator("small[lang=en]")).to_contain_text("空.md: the document is empty")


def test_a_workbook_is_taken_in(page: Page) -> None:
    go(page, "documents")
    workbook = Workbook()
    workbook.active.append(["水果", "颜色"])
    workbook.active.append(["火龙果", "玫红"])
    send(page, "水果.xlsx", saved(workbook))
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


def test_files_are_taken_in_while_another_view_is_looked_at(page: Page) -> None:
    going_on = re.compile("/v1/ingest/status/")
    page.route(
        going_on, lambda route: route.fulfill(json=route.fetch().json() | {"status": "queued", "stage": "queued"})
    )
    go(page, "documents")
    send(page, "路上.md", "# 路上\n\n还在路上。".encode())
    expect(page.locator(".uploads li")).to_contain_text("排队等候")
    go(page, "chat")
    go(page, "documents")
    expect(page.locator(".uploads li")).to_contain_text("排队等候")
    page.unroute(going_on)
    expect(page.locator(".uploads li")).to_contain_text("已入库", timeout=SLOW)
    expect(page.get_by_role("row").filter(has_text="路上.md")).to_be_visible()


def test_the_keyboard_stays_in_the_list_when_a_document_is_deleted(page: Page) -> None:
    go(page, "documents")
    send(page, "删去.md", "# 删去\n\n这一份要删去。".encode())
    page.get_by_role("button", name="删除 删去.md").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="删除").press("Enter")
    expect(page.get_by_text("已删除《删去.md》。")).to_be_visible()
    expect(page.locator(".listing a:focus")).to_have_count(1)


def test_a_document_that_was_deleted_is_no_longer_looked_at(page: Page) -> None:
    go(page, "documents")
    send(page, "一时.md", "# 一时\n\n这一份只留一时。".encode())
    expect(page.locator(".uploads")).to_contain_text("已入库", timeout=SLOW)
    go(page, "chat")
    page.get_by_label("范围").select_option("一时.md")
    go(page, "documents")
    page.get_by_role("button", name="删除 一时.md").click()
    page.get_by_role("dialog").get_by_role("button", name="删除").click()
    expect(page.get_by_text("已删除《一时.md》。")).to_be_visible()
    go(page, "chat")
    expect(page.get_by_label("范围").get_by_role("option")).not_to_have_count(1)
    expect(ask(page, "QLoRA 的适用场景是什么？").locator(".cite").first).to_be_visible()


def test_a_restored_text_is_saved_under_its_name(page: Page, page_url: str) -> None:
    page.goto(f"{page_url}/#/documents/{DAMAGED}")
    with page.expect_download() as saving:
        page.get_by_role("button", name="下载文本").click()
    assert saving.value.suggested_filename == DAMAGED
    assert "使用LoRA微调后的模型" in saving.value.path().read_text(encoding="utf-8")


def test_what_is_explained_is_closed_before_the_document(page: Page, page_url: str) -> None:
    page.goto(f"{page_url}/#/search")
    page.get_by_role("searchbox").fill("使用LoRA微调后的模型")
    page.keyboard.press("Enter")
    page.locator(".hit .source").filter(has_text=DAMAGED).first.click()
    panel = page.get_by_role("complementary")
    panel.locator(".line .inferred").first.click()
    expect(page.locator(".about")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".about")).to_have_count(0)
    expect(panel).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


def test_a_quote_is_marked_where_it_stands_in_the_document_as_it_is_now(page: Page, page_url: str) -> None:
    def put(text: str) -> None:
        sent = httpx2.post(f"{page_url}/v1/ingest/text", json={"file_name": "包子.md", "text": text}, timeout=60)
        assert sent.status_code == 200

    panel = page.get_by_role("complementary")
    for text in ("# 蒸包子\n\n蒸包子要蒸十五分钟。", "# 怎样蒸包子\n\n蒸包子要蒸十五分钟。"):
        put(text)
        ask(page, "蒸包子要蒸多久？").locator(".cite").first.click()
        expect(panel.locator("mark")).to_have_text("蒸包子要蒸十五分钟。")
        page.keyboard.press("Escape")
    page.locator(".turn .cite").first.click()  # of the first answer
    expect(panel).to_contain_text("这份文档之后改过")
    expect(panel.locator("mark")).to_have_count(0)


def test_an_empty_knowledge_base_is_said_to_be_empty(browser: Browser, tmp_path: Path) -> None:
    with running_guide(tmp_path) as url, browser.new_context(locale="zh-CN") as context:
        page = context.new_page()
        page.goto(f"{url}/#/documents")
        expect(page.get_by_role("status").filter(has_text="知识库还是空的")).to_be_visible(timeout=SLOW)
        expect(page.locator(".empty")).to_contain_text("还没有文档")
