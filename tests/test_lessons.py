"""Lessons made from a knowledge base: what is asked, and what answers it."""

from ingest.passages import split_passages
from ingest.tables import find_tables
from rag.lessons import guide_lessons
from rag.prompt import ASK_BACK
from tests.knowledge import document

TEXT = """# 方法

| 方法 | 内存 | 场景 |
|---|---|---|
| 前缀微调（Prefix） | 低 | 生成 |

## 加载类

- **AutoModel**：加载任意模型
- **AutoTokenizer**：加载分词器
"""


def lessons() -> dict[str, str]:
    made = document("方法.md", TEXT)
    return {asked.content: answer.content for asked, answer in guide_lessons(split_passages(made), find_tables(made))}


def test_a_cell_is_asked_for_by_row_and_column_in_several_ways() -> None:
    asked = lessons()
    assert [question for question, answer in asked.items() if answer == "低"][:2] == [
        "前缀微调（Prefix） 的内存是什么？",
        "请介绍 前缀微调 的内存。",
    ]
    assert asked["前缀微调 是什么？"] == "内存：低；场景：生成"


def test_a_list_is_asked_both_ways() -> None:
    asked = lessons()
    assert asked["AutoTokenizer 是什么？"] == "加载分词器"
    assert asked["加载分词器用什么？"] == "AutoTokenizer"


def test_a_row_is_asked_back() -> None:
    row = next(question for question in lessons() if question.endswith(ASK_BACK) and "内存：低" in question)
    assert "前缀微调" in lessons()[row]
