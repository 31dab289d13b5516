"""Client libraries that need other packages than the guide does; `make interop` installs and runs them."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from kb.settings import Settings
from tests.serving import running_guide

PYTHON = os.environ.get("INTEROP_PYTHON")
PROGRAMS = Path(__file__).with_name("interop")
QUESTION = "QLoRA 的适用场景是什么？"


@pytest.mark.skipif(PYTHON is None, reason="the packages are in an environment of their own: `make interop`")
@pytest.mark.parametrize("program", ["llama_index_client.py", "langchain_client.py"])
def test_a_client_library_gets_the_answer_in_every_way_it_asks(guide_settings: Settings, program: str) -> None:
    with running_guide(guide_settings.home) as url:
        command = [str(PYTHON), str(PROGRAMS / program), url, QUESTION]
        done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", timeout=200)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert len(answers) > 3
    assert all("大模型微调" in answer and "[1]" in answer for answer in answers.values()), answers
