"""What the program itself says beside answers and quotes, in the language of the question."""

from kb.language import Language

__all__ = ["say"]

_SENTENCES: dict[str, dict[Language, str]] = {
    "sources": {"zh": "来源", "en": "Sources"},
    "lines": {"zh": "第 {first}–{last} 行", "en": "lines {first}–{last}"},
    "line": {"zh": "第 {first} 行", "en": "line {first}"},
    "pages": {"zh": "第 {first}–{last} 页", "en": "pages {first}–{last}"},
    "page": {"zh": "第 {first} 页", "en": "page {first}"},
    "restored": {
        "zh": "含推断还原的字，置信度 ≥ {confidence:.2f}",
        "en": "inferred characters, ≥ {confidence:.2f} sure",
    },
    "doubtful": {
        "zh": "存疑：含推断还原的字，置信度仅 {confidence:.2f}",
        "en": "doubtful: an inferred character is only {confidence:.2f} sure",
    },
    "understood": {"zh": "（按“{question}”查找）", "en": "(looked for “{question}”)"},
    "nearest": {"zh": "也许有关", "en": "Perhaps of use"},
    "nothing_found": {"zh": "没有找到相关段落。", "en": "No passage found."},
    "grounded": {"zh": "有据 {share:.0%}", "en": "{share:.0%} grounded"},
    "cost": {"zh": "{seconds:.1f} 秒 · {tokens} 个词元", "en": "{seconds:.1f} s · {tokens} tokens"},
    "plain": {"zh": "不检索，无适配器", "en": "plain"},
    "plain+adapter": {"zh": "不检索，有适配器", "en": "plain + adapter"},
    "rag": {"zh": "检索，无适配器", "en": "retrieved"},
    "rag+adapter": {"zh": "检索，有适配器", "en": "retrieved + adapter"},
    "probing": {"zh": "适配器改变了什么（基座 → 适配器）", "en": "What the adapter changed (base → adapter)"},
    "taught": {"zh": "按训练时的问法", "en": "asked as taught"},
    "reworded": {"zh": "换一种说法", "en": "in other words"},
    "general": {"zh": "与文档无关的常识", "en": "general questions"},
    "probes": {"zh": "题数", "en": "questions"},
    "loss": {"zh": "损失（奈特/字）", "en": "loss, nats a character"},
    "recalled": {"zh": "写出的份额", "en": "share written"},
    "empty_store": {
        "zh": "{home} 中的知识库还是空的：请先运行 `guide ingest`（可加上自己的文件）。",
        "en": "The knowledge base in {home} is empty: run `guide ingest` first (with files of your own, if you like).",
    },
}


def say(key: str, language: Language, **values: object) -> str:
    return _SENTENCES[key][language].format(**values)
