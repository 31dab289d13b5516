"""Whether a passage can answer by what is asked for, where that has a form: a price, a time, the name of a script."""

import re
from typing import NamedTuple

__all__ = ["gives"]


class Form(NamedTuple):
    """`asked` finds what asks for such a thing, `given` the thing."""

    asked: re.Pattern[str]
    given: re.Pattern[str]


def _form(asked: str, given: str) -> Form:
    return Form(re.compile(asked, re.IGNORECASE), re.compile(given, re.IGNORECASE | re.MULTILINE))


_MANY = r"(?:\d|[一二两三四五六七八九十百千万几数])"
_WHICH = r"(?:哪|什么)[个条些一]{0,2}"
_MEMORY = r"(?:显存|内存|空间|磁盘|硬盘)"

FORMS = (
    _form(r"百分之几?|占比|比例|几成|percent(?:age)?|what (?:fraction|share|proportion)", r"\d\s*[%％‰]|百分之"),
    _form(
        r"多少钱|价格|费用|价钱|收费|多少美?元|\bcosts?\b|\bprices?\b|\bpricing\b",
        r"[¥￥$€]\s*\d|\d\s*[万亿千百]?\s*(?:元|块|美元|美金|人民币|欧元|RMB|USD|CNY|dollars?)"
        r"|[（(：:/]\s*(?:[万亿]?元|USD|RMB|CNY)|免费|\bfree\b",
    ),
    _form(
        rf"(?:多[大少]|几个?)的?\s*(?:[a-z]+ ?)?(?:{_MEMORY}|G\b|GB)|{_MEMORY}.{{0,6}}(?:多[大少]|几个? ?G)"
        r"|how (?:much|large|big)\b.{0,20}\b(?:memory|v?ram|disk|space)\b",
        r"\d\s*(?:[GMT]i?B?|[GMT]字节)(?![a-z])",
    ),
    _form(
        r"多久|多长时间|几个?(?:小时|分钟|秒|星期|周|月)|几天|how long (?:do|does|did|will|is|was)\b"
        r"|how many (?:hours|minutes|days|weeks|months)",
        rf"{_MANY}\s*个?多?(?:小时|分钟|秒|天|日内|工作日|周|星期|月|年)"
        r"|\d\s*(?:hours?|minutes?|seconds?|days?|weeks?|months?|years?|ms|h|s|min)\b",
    ),
    _form(
        r"参数量|(?:多少|几)个?亿?个?参数|多大参数|how many parameters|parameter count",
        r"\d\s*[BM](?![a-z])|\d\s*[亿万]|\d{5,}|billion|million|\d,\d{3}",
    ),
    _form(r"哪[个一]?版本|什么版本|版本号|几版|(?:which|what) version", r"\bv?\d+\.\d+|v\d|[=>]="),
    _form(r"网址|链接|\burl\b|\blinks?\b|下载地址|主页", r"https?://|www\."),
    _form(r"端口号?|\bports?\b", r"\b\d{4,5}\b"),
    _form(
        rf"{_WHICH}(?:脚本|文件|程序)|脚本(?:是|叫)|(?:which|what) (?:script|file)",
        r"\w\.(?:py|sh|ipynb|json|ya?ml|txt|md|js|bat|ps1|toml|cfg|ini|bin|safetensors)\b",
    ),
    _form(
        rf"{_WHICH}命令|命令(?:是|怎么|如何)|(?:which|what) command|command (?:to|for)",
        r"^[\s>$!#]*(?:sudo|pip3?|python3?|conda|git|docker|npm|bash|sh|curl|wget|make|apt|apt-get|brew|kubectl|ssh"
        r"|systemctl|java|node|go|cargo)\s+[\w.\-]",
    ),
)


def gives(question: str, text: str) -> bool | None:
    """Whether a text gives all that the question asks for by its form, beside what the question has itself.

    None if nothing of the kind is asked for.
    """
    asked = [form for form in FORMS if form.asked.search(question)]
    return all(_beside(form.given, question.casefold(), text) for form in asked) if asked else None


def _beside(given: re.Pattern[str], question: str, text: str) -> bool:
    return any(found.group().casefold() not in question for found in given.finditer(text))
