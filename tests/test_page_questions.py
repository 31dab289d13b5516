"""Questions on the page, in a real browser against a real server: chat, comparison and search."""

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from api.services import Services
from tests.browser import SLOW, ask, go

CHATS = re.compile("/v1/chat/completions")
QUESTION = "QLoRA 的适用场景是什么？"
BEGUN = 'data: {"model": "chat", "choices": [{"delta": {"content": "微调"}}]}\n\n'


def look_for(page: Page, question: str) -> None:
    go(page, "search")
    page.get_by_role("searchbox").fill(question)
    page.keyboard.press("Enter")


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


def test_a_misspelt_name_is_told_as_it_was_understood(page: Page) -> None:
    misspelt, understood = "disitlbert 有什么优点？", "按“distilbert 有什么优点？”检索"
    expect(ask(page, misspelt)).to_contain_text(understood)
    look_for(page, misspelt)
    expect(page.get_by_text(understood)).to_be_visible()
    look_for(page, QUESTION)
    expect(page.locator(".hit").first).to_be_visible()
    expect(page.locator(".hint")).to_have_count(0)


@pytest.mark.parametrize(("answerable", "count"), [(0.15, 3), (0.149, 0)])
def test_the_nearest_passages_stand_where_there_is_no_answer(page: Page, answerable: float, count: int) -> None:
    def so_probable(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, body=re.sub(r'(?<="answerable":)[0-9.]+', str(answerable), reply.text()))

    page.route(CHATS, so_probable)
    near = ask(page, "北京明天天气怎么样？").locator(".nearest")
    expect(near.get_by_role("listitem")).to_have_count(count)
    if count:
        expect(near.get_by_role("heading")).to_have_text("也许有关")
        near.get_by_role("button").first.click()
        expect(page.get_by_role("complementary").locator("mark").first).to_be_in_viewport()


def test_what_was_opened_stays_open_while_more_is_asked(page: Page) -> None:
    passages = ask(page, QUESTION).locator("details")
    passages.locator("summary").click()
    ask(page, "那 AdaLoRA 呢？")
    expect(page.locator(".turn details").first).to_have_attribute("open", "")


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
    page.route(CHATS, lambda _: None)  # the small model would be done before it is stopped
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
    page.route(CHATS, lambda route: route.fulfill(**broken) if broken else route.abort())
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
    page.unroute(CHATS)
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
    look_for(page, QUESTION)
    page.locator(".hit .source").first.click()
    expect(page.get_by_role("complementary").locator("mark").first).to_contain_text("QLoRA")


@pytest.mark.parametrize(("locale", "one_language"), [("en-GB", r"What[ -~]+\?"), ("zh-CN", r".*是什么？")])
def test_questions_to_try_are_in_the_language_of_the_page(
    browser: Browser, page_url: str, locale: str, one_language: str
) -> None:
    with browser.new_context(locale=locale) as context:
        page = context.new_page()
        page.goto(f"{page_url}/#/search")
        to_try = page.locator(".tries button")
        expect(to_try).to_have_text([re.compile(one_language)] * 3)
        to_try.first.click()
        expect(page.locator(".hit").first).to_be_visible(timeout=SLOW)
        expect(to_try).to_have_count(0)


def test_a_search_is_held_to_a_document_and_a_kind(page: Page) -> None:
    look_for(page, QUESTION)
    expect(page.locator(".hit").first).to_be_visible()
    page.get_by_label("范围").select_option("using_lora_models.md")
    expect(page.locator(".hit .source").filter(has_not_text="using_lora_models.md")).to_have_count(0)
    expect(page.locator(".hit")).to_have_count(10)
    page.get_by_label("类型").select_option("代码")
    expect(page.locator(".hit .facts").filter(has_not_text="代码")).to_have_count(0)
    page.get_by_label("范围").select_option("全部文档")
    expect(page.locator(".hit .source").filter(has_not_text="using_lora_models.md").first).to_be_visible()


def test_only_the_last_question_is_shown_also_after_another_view(page: Page) -> None:
    held: list[Route] = []
    page.route(re.compile("/v1/search"), lambda route: held.append(route) if not held else route.continue_())
    look_for(page, "LLaMA")
    expect(page.get_by_text("正在搜索")).to_be_visible()
    go(page, "tables")
    look_for(page, "AdaLoRA")
    expect(page.locator(".hit").first).to_contain_text("AdaLoRA")
    go(page, "chat")
    go(page, "search")
    expect(page.get_by_role("searchbox")).to_have_value("AdaLoRA")
    expect(page.locator(".hit").first).to_contain_text("AdaLoRA")
