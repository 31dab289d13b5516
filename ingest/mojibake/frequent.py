"""What text in an East Asian encoding must show: characters that hardly a sentence of its language does without."""

import re
from functools import cache

__all__ = ["EAST_ASIAN_ENCODINGS", "ENOUGH_FREQUENT", "familiar_characters", "frequent_share"]

JAPANESE = frozenset("のにはをたがでてとしれさあるいもなこうらかす")
EAST_ASIAN_ENCODINGS = {
    "gb18030": frozenset(
        "的一是不了在有人这中大来上个国到说们为子和你地出以时年得就那要下生会自着去之过家学对可里后小么心多天而"
        "能好都然用方法行发成者分同文本数据使件务系统加载模型参训练类如果码请求"
    ),
    "big5": frozenset(
        "的一是不了在有人這中大來上個國到說們為子和你地出以時年得就那要下生會自著去之過家學對可裡後小麼心多天而"
        "能好都然用方法行發成者分同文本數據使件務系統加載模型參訓練類如果碼請求"
    ),
    "shift_jis": JAPANESE,
    "euc_jp": JAPANESE,
    "euc_kr": frozenset("이다는을의가에를고은한하지로도사기아인어있니들"),
}
ENOUGH_FREQUENT = 0.08  # of the characters above ASCII; full technical documents have 0.125 and more
HIGH = re.compile(r"[^\x00-\x7f]")


def frequent_share(text: str, encoding: str) -> float:
    """Of the characters above ASCII, the share that is frequent in the encoding's language."""
    high = HIGH.findall(text)
    frequent = EAST_ASIAN_ENCODINGS[encoding]
    return sum(c in frequent for c in high) / len(high) if high else 0.0


@cache
def familiar_characters() -> frozenset[str]:
    """What the national standards put first: marks, kana, the commoner half of ideographs, common Hangul syllables."""
    trails = [*range(0x40, 0x7F), *range(0xA1, 0xFF)]
    planes = {
        "gb2312": [*range(0xA1, 0xA6), *range(0xB0, 0xD8)],
        "big5": range(0xA1, 0xC7),
        "euc_kr": range(0xB0, 0xC9),
    }
    pairs = ((name, bytes((lead, trail))) for name, leads in planes.items() for lead in leads for trail in trails)
    return frozenset(pair.decode(name, errors="ignore") for name, pair in pairs) - {""}
