"""Answers that have a form: a share, a price, an amount of memory, a name of a file."""

import pytest

from rag.forms import gives


@pytest.mark.parametrize(
    ("question", "text", "given"),
    [
        ("AdapterFusion 要训练百分之几的参数？", "| AdapterFusion | 2-4% | 中等 |", True),
        ("可训练参数占比是多少？", "trainable params: 1843199", False),
        ("激光脱毛做一次要多少钱？", "利用激光的热量，做 3 次", False),
        ("How much does it cost?", "$12 a month", True),
        ("微调 7B 要多大显存？", "7B 13G", True),
        ("How much GPU memory does it need?", "约21GB", True),
        ("13B 要多少内存？", "13B", False),
        ("训练花了多长时间？", "在四卡 3090 上训练", False),
        ("训练花了多长时间？", "大约两个小时", True),
        ("用的哪个版本的 peft？", "pip install peft==0.6.2", True),
        ("默认监听哪个端口？", "uvicorn app:app", False),
        ("默认监听哪个端口？", "--port 8000", True),
        ("权重转换用哪个脚本？", "python convert_weights.py", True),
        ("启动服务的命令是什么？", "```\npython server.py --api\n```", True),
        ("启动服务的命令是什么？", "先启动服务", False),
        ("代码放在哪个网址？", "见 https://example.org", True),
        ("7B 模型有多少参数？", "7B 模型", False),
        ("LoRA 的原理是什么？", "0.1%，约21GB", None),
    ],
)
def test_what_has_a_form_is_there_or_not(question: str, text: str, *, given: bool | None) -> None:
    assert gives(question, text) is given
