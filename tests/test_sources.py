"""The guide's documents are kept byte for byte as they were received."""

import hashlib

import pytest

from api.services import Services
from kb.settings import SOURCES

SHA256 = {
    "quick_start.md": "aecbfe68849c3cc1b64f465b77f286920f3eabd48ea1eb7d960d2be5d46b5f12",
    "llm_guide.md": "f13b07c1dccb8767ffbbbe3ff8ecc8f1795cbba90dc55da93b88e7aa1ac2d4aa",
    "using_lora_models.md": "9b4eaa02109b3e778d5a2b55c5af9d1751e55f513acd6803be2915b4e1b83146",
    "finetuning_notes.md": "5b12608b0dc9d4ce966691b10863de9fccda1874cb52fb85c8dd9b6fc69fccb7",
    "peft_model_reference.md": "ff1674a3f27c67d791ba13d82e29a1e65895a1c9cb37fde205482c4bb4bc73f8",
}


@pytest.mark.parametrize("name", SHA256)
def test_a_source_has_the_bytes_it_was_received_with(name: str) -> None:
    assert hashlib.sha256((SOURCES / name).read_bytes()).hexdigest() == SHA256[name]


def test_there_are_no_other_sources() -> None:
    assert {path.name for path in SOURCES.iterdir()} == set(SHA256)


@pytest.mark.parametrize("name", sorted(SHA256))
def test_a_document_keeps_what_was_received_line_for_line(name: str, services: Services) -> None:
    document = services.store.document(name)
    received = (SOURCES / name).read_bytes().decode("utf-8")
    assert (document.received or document.text) == received
    assert received.count("\n") == document.text.count("\n")
