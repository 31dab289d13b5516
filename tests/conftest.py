"""Fixtures that several test modules share."""

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

from tests.tiny import make_adapter, make_base


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_adapter(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(tiny_base, tmp_path_factory.mktemp("adapters") / "tiny.lora")
