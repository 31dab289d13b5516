"""The guide's own documents: no clean original exists, but damaging the restored text must give the received one."""

import pytest

from ingest.mojibake import Restored, replay, restore
from kb.settings import SOURCES

LOST = {"using_lora_models.md": 1340, "peft_model_reference.md": 509}


def received(name: str) -> str:
    return (SOURCES / name).read_bytes().decode("utf-8")


@pytest.fixture(scope="module", params=LOST)
def document(request: pytest.FixtureRequest) -> tuple[str, Restored]:
    return request.param, restore(received(request.param))


def test_damaging_the_restored_text_gives_the_received_one(document: tuple[str, Restored]) -> None:
    name, restored = document
    again = restored.text.encode().decode("cp1254", errors="ignore").replace("\u00ad", "")
    assert again == received(name)
    assert restored.damage == ("cp1254_dropped",)
    assert len(restored.repairs) == LOST[name]
    assert replay(received(name), restored.steps) == restored.text


def test_hardly_a_character_is_in_doubt(document: tuple[str, Restored]) -> None:
    _, restored = document
    sure = sum(repair.confidence >= 0.9 for repair in restored.repairs)
    assert sure >= 0.95 * len(restored.repairs)


def test_restoring_it_again_changes_nothing(document: tuple[str, Restored]) -> None:
    _, restored = document
    assert restore(restored.text) == Restored(restored.text)


@pytest.mark.parametrize("name", sorted({file.name for file in SOURCES.glob("*.md")} - set(LOST)))
def test_clean_documents_are_not_touched(name: str) -> None:
    assert restore(received(name)) == Restored(received(name))
