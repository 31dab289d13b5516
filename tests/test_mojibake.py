from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.mojibake import Step, origin, replay, restore
from ingest.mojibake.repair import _moved
from kb.records import Repair

CLEAN = """# 使用 LoRA 微调后的模型

　　因为`LoRA`在训练时保存“适配器”部分的参数，所以要在启动时把它和模型一同加载（见《说明》）：

```python
model = load("qwen")  # 加载模型，不要改动
```

| 方法 | 说明 |
|---|---|
| 推理 | 与训练不同，这里不计算梯度。 |
"""


def dropped(text: str, page: str) -> str:
    return text.encode().decode(page, errors="ignore").replace("\u00ad", "")


@pytest.mark.parametrize("page", ["cp1252", "cp1254"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_dropped_bytes_come_back(page: str, line_end: str) -> None:
    clean = CLEAN.replace("\n", line_end)
    damaged = dropped(clean, page)
    restored = restore(damaged)
    assert restored.text == clean
    assert restored.damage == (f"{page}_dropped",)
    assert replay(damaged, restored.steps) == clean
    assert len(restored.repairs) > 10
    for repair in restored.repairs:
        assert restored.text[repair.start : repair.end] == repair.after
        assert dropped(repair.after, page) == repair.before
        assert 0 < repair.confidence <= 1
        assert repair.after not in repair.alternatives


@pytest.mark.parametrize("page", ["cp1252", "cp1254"])
def test_every_span_is_traced_back_to_what_it_was_made_of(page: str) -> None:
    damaged = dropped(CLEAN, page)
    restored = restore(damaged)
    for repair in restored.repairs:
        start, end = origin(restored.steps, repair.start, repair.end)
        assert damaged[start:end] == repair.before
    for at in range(len(CLEAN)):
        start, end = origin(restored.steps, at, at + 1)
        assert damaged[start:end] == dropped(CLEAN[at], page)
    assert origin(restored.steps, 0, len(CLEAN)) == (0, len(damaged))


def test_a_span_is_traced_through_two_layers() -> None:
    damaged = CLEAN.encode().decode("cp437").encode().decode("latin-1")
    restored = restore(damaged)
    at = CLEAN.index("适配器")
    start, end = origin(restored.steps, at, at + 3)
    assert damaged[start:end] == "适配器".encode().decode("cp437").encode().decode("latin-1")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3))), st.integers(0, 20))
def test_repairs_of_an_earlier_layer_go_where_the_steps_take_them(
    parts: list[tuple[int, int, int]], start: int
) -> None:
    """As the definition has it: moved by all steps before it, gone if one of them meets it."""
    steps, at = list[Step](), 0
    for gap, size, after in parts:
        steps.append(Step(at + gap, at + gap + size, "字" * after, "cp1252"))
        at += gap + size
    repair = Repair(start, start + 2, "", "微调", 0.9)
    shift = sum(len(step.after) - (step.end - step.start) for step in steps if step.end <= start)
    met = any(step.start < start + 2 and start < step.end for step in steps)
    expected = [] if met else [replace(repair, start=start + shift, end=start + 2 + shift)]
    assert list(_moved([repair], steps)) == expected


def test_a_few_words_are_enough() -> None:
    assert restore(dropped("加载模型", "cp1254")).text == "加载模型"


@pytest.mark.parametrize("page", ["latin-1", "cp437"])
def test_lossless_damage_is_undone_without_inferring(page: str) -> None:
    restored = restore(CLEAN.encode().decode(page))
    assert restored.text == CLEAN
    assert restored.damage == (page,)
    assert restored.repairs == ()


@pytest.mark.parametrize("errors", ["ignore", "replace"])
def test_utf8_read_as_gbk_comes_back(errors: str) -> None:
    damaged = CLEAN.encode().decode("gbk", errors=errors)
    restored = restore(damaged)
    assert restored.text == CLEAN
    assert restored.damage == ("gbk_dropped" if errors == "ignore" else "gbk_replaced",)
    assert replay(damaged, restored.steps) == CLEAN
    assert all(restored.text[r.start : r.end] == r.after for r in restored.repairs)


@pytest.mark.parametrize("mark", ["\ufffd", "?"])
def test_replaced_bytes_come_back_and_real_marks_stay(mark: str) -> None:
    damaged = (CLEAN + "真的吗? 是的?\n").encode().decode("cp1252", errors="replace").replace("\ufffd", mark)
    restored = restore(damaged)
    assert restored.text == CLEAN + "真的吗? 是的?\n"
    assert restored.damage == ("cp1252_replaced",)


@pytest.mark.parametrize(
    ("damaged", "clean", "kinds"),
    [
        (CLEAN.encode().decode("cp437").encode().decode("latin-1"), CLEAN, ("latin-1", "cp437")),
        (CLEAN.encode("gb18030").decode("latin-1"), CLEAN, ("gb18030_as_latin-1",)),
        ("這是一個測試文件，說明模型的使用方法。".encode("big5").decode("latin-1"), None, ("big5_as_latin-1",)),
        (
            "日本語のテキストです。モデルを読み込みます。".encode("euc_jp").decode("latin-1"),
            None,
            ("euc_jp_as_latin-1",),
        ),
        ("voilÃ\xa0 le cafÃ©", "voilà le café", ("latin-1",)),
    ],
    ids=["two layers", "GB18030 as Latin-1", "Big5 as Latin-1", "EUC-JP as Latin-1", "French"],
)
def test_whole_layers_come_off(damaged: str, clean: str | None, kinds: tuple[str, ...]) -> None:
    restored = restore(damaged)
    assert restored.damage == kinds
    assert replay(damaged, restored.steps) == restored.text
    if clean is None:
        encoding = kinds[0].removesuffix("_as_latin-1")
        clean = damaged.encode("latin-1").decode(encoding)
    assert restored.text == clean


def test_a_line_that_happens_to_be_utf8_does_not_hide_what_the_text_is() -> None:
    text = "## udev 系统\n\n从这个版本开始，内核的设备文件由它来管理，用户不用自己建立。\n"
    assert "系统".encode("gb18030").decode() == "ϵͳ"
    assert restore(text.encode("gb18030").decode("latin-1")).text == text


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("filler", "misread"),
    [("QUJD", lambda text: text.encode("gb18030").decode("latin-1")), (" ", lambda text: dropped(text, "cp1254"))],
    ids=["inline picture", "spaces"],
)
def test_a_long_line_beside_damaged_ones_takes_no_time(filler: str, misread: Callable[[str], str]) -> None:
    line = f"{filler * 100_000}\n"
    restored = restore(misread(CLEAN * 10) + line)
    assert restored.damage
    assert restored.text.endswith(line)


def test_what_cannot_be_known_is_counted_and_left() -> None:
    text = "这是锟斤拷的文字，还有\ufffd一处。"
    restored = restore(text)
    assert (restored.text, restored.lost, restored.steps) == (text, 3, ())


def test_restoring_a_restored_text_changes_nothing() -> None:
    once = restore(dropped(CLEAN, "cp1254"))
    assert restore(once.text).text == once.text
    assert restore(once.text).damage == ()


def test_only_the_damaged_lines_of_a_mixed_document_change() -> None:
    lines = CLEAN.splitlines(keepends=True)
    mixed = "".join(dropped(line, "cp1252") if n % 2 else line for n, line in enumerate(lines))
    restored = restore(mixed)
    assert restored.text == CLEAN
    assert all(mixed[: step.start].count("\n") % 2 == 1 for step in restored.steps)


@pytest.mark.parametrize(
    "text",
    [
        CLEAN,
        "",
        "ASCII only, don't touch \x00 or \r\n.",
        "“弯引号”——破折号…… ＡＢＣ：，。",
        "L’été « où » nous étions à Genève, déjà… naïve, cœur, Ænima, 50 °C, ±3",
        "Türkçe öğrenmek için ışık şöyle, ÇAĞRI İŞ",
        "Größe, Übung, „Anführung“, Straße, ÄÖÜ",
        "Tiếng Việt: Đường, ưu tiên, những người, được",
        "Привет, это обычный текст",
        "日本語のテキストです。한국어 텍스트입니다。",
        '"JJJJ-MM-TT HH:MM[:ss[.µµµµµµ]][TZ]."',
        "Недавні дії, Україна — її мова",
        "在这个系统中，词是意义的基本单元。查封、扣押、冻结的财产。",
        "Ελληνικά κείμενο, Čeština říká žluťoučký kůň, Łódź",
    ],
)
def test_clean_text_is_not_touched(text: str) -> None:
    restored = restore(text)
    assert restored.text == text
    assert (restored.damage, restored.repairs, restored.steps) == ((), (), ())


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_restored_by_its_steps_and_only_once(text: str) -> None:
    once = restore(text)
    assert replay(text, once.steps) == once.text
    assert origin(once.steps, 0, len(once.text)) == (0, len(text))
    assert restore(once.text).text == once.text
