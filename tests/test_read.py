from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.read import decode, raw_document, read_file
from kb.errors import InputError
from kb.settings import Settings

CHINESE = "# 使用方法\r\n\r\n我们在这里加载模型，然后用它来训练。\n\t“参数”的数量：７0亿。\n"
TRADITIONAL = "這是一個測試文件，說明語言模型的使用方法。我們需要安裝套件，然後載入模型。\r\n"
SAMPLES = {
    "utf-8": CHINESE,
    "utf-8-sig": CHINESE,
    "utf-16": CHINESE,
    "utf-16-le": CHINESE,
    "utf-16-be": CHINESE,
    "utf-32": CHINESE,
    "utf-32-be": CHINESE,
    "gb18030": CHINESE,
    "big5": TRADITIONAL,
    "shift_jis": "日本語のテキストです。モデルを読み込みます。",
    "euc_jp": "日本語のテキストです。モデルを読み込みます。",
    "euc_kr": "한국어 텍스트입니다. 모델을 불러옵니다.",
    "cp1252": "L’été où nous étions à Genève, déjà — naïve coöperation.",
    "cp1251": "Привет, как дела? Это обычный русский текст о моделях.",
}


@pytest.mark.parametrize("encoding", SAMPLES)
def test_the_encoding_is_found_and_every_character_kept(encoding: str) -> None:
    text = SAMPLES[encoding]
    decoded = decode(raw_document("a.md", text.encode(encoding)))
    assert decoded.text == text
    assert decoded.encoding == encoding


def test_gbk_with_four_byte_characters_is_gb18030() -> None:
    text = CHINESE + "𠮷😀"
    assert decode(raw_document("a.md", text.encode("gb18030"))).text == text


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_utf8_is_never_taken_for_anything_else(text: str) -> None:
    if not text.strip():
        return
    decoded = decode(raw_document("a.md", text.encode()))
    assert decoded.text == text.removeprefix("\ufeff")


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_decode_exactly_or_are_refused_by_name(data: bytes) -> None:
    try:
        decoded = decode(raw_document("found.bin", data))
    except InputError as problem:
        refused = str(problem)
    else:
        marked = decoded.encoding in ("utf-16", "utf-32", "utf-8-sig")
        refused = "" if marked or decoded.text.encode(decoded.encoding) == data else "decoded to something else"
    assert refused == "" or refused.startswith("found.bin: ")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \r\n\t", "white space"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not text"),
        (CHINESE.encode()[:-2] + b"\xe4\xb8", "broken at byte"),
        (CHINESE.encode("utf-16")[:-1], "byte order mark"),
        (b"\x00\x01\x02\xff\xfe\x00", "not text"),
        ("Türkçe öğrenmek için ışık".encode("cp1254"), "not text in any encoding"),
    ],
    ids=["empty", "blank", "image", "cut off", "cut off after its mark", "scattered zeros", "too little evidence"],
)
def test_what_is_no_text_is_refused_in_one_clear_line(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        decode(raw_document("notes.md", data))
    assert str(refused.value).startswith("notes.md: ")
    assert "\n" not in str(refused.value)


def test_a_break_in_utf8_is_named_by_its_line() -> None:
    with pytest.raises(InputError, match=r"line 3"):
        decode(raw_document("a.md", "第一行\n第二行\n".encode() + b"\xff\xfe" + "第三行\n".encode()))


def test_a_file_is_read_with_its_name_and_hash(tmp_path: Path) -> None:
    file = tmp_path / "本.md"
    file.write_bytes(CHINESE.encode())
    raw = read_file(file, Settings(home=tmp_path))
    assert (raw.name, raw.data) == ("本.md", CHINESE.encode())
    assert raw.sha256 == raw_document("x", CHINESE.encode()).sha256
    assert len(raw.sha256) == 64


def test_files_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, max_document_mb=0.001)
    (tmp_path / "empty.md").write_bytes(b"")
    (tmp_path / "large.md").write_bytes(b"a" * 1001)
    (tmp_path / "fits.md").write_bytes(b"a" * 1000)
    assert read_file(tmp_path / "fits.md", settings).name == "fits.md"
    for path, says in [
        (tmp_path / "empty.md", "empty"),
        (tmp_path / "large.md", "max_document_mb = 0.001"),
        (tmp_path / "missing.md", "no such file"),
        (tmp_path, "a folder"),
        (tmp_path / "fits.md" / "x", "can't be read"),
        (tmp_path / "nul\0.md", "can't be read"),
        (tmp_path / ("n" * 300), "can't be read"),
    ]:
        with pytest.raises(InputError, match=says):
            read_file(path, settings)
