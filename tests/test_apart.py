"""Documents read in a process of their own: what comes of them, and what if the process fails them."""

from collections.abc import Iterator
from contextlib import closing
from multiprocessing import active_children

import pytest

from ingest import apart
from ingest.apart import ReadingProcess
from ingest.documents import read_document
from ingest.read import raw_document
from kb.errors import InputError

DOCUMENT = raw_document("微调.md", "# 微调\n\n适配器只训练少量参数。\n".encode())


@pytest.fixture
def reading() -> Iterator[ReadingProcess]:
    with closing(ReadingProcess()) as reading:
        yield reading


def test_it_reads_what_is_read_here(reading: ReadingProcess) -> None:
    assert reading(DOCUMENT) == read_document(DOCUMENT)
    with pytest.raises(InputError, match=r"a\.md: its bytes are not text"):
        reading(raw_document("a.md", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"))
    assert len(active_children()) == 1


def test_a_process_that_was_killed_between_documents_is_replaced(reading: ReadingProcess) -> None:
    reading(DOCUMENT)
    for process in active_children():
        process.kill()
        process.join()
    assert reading(DOCUMENT) == read_document(DOCUMENT)


def test_a_document_that_takes_too_long_does_not_keep_others_waiting(
    reading: ReadingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as impatient:
        impatient.setattr(apart, "PATIENCE", (0, 0))
        with pytest.raises(InputError, match=r"微调.md: not read after 0 seconds\. .* split the file\."):
            reading(DOCUMENT)
    assert active_children() == []
    assert reading(DOCUMENT) == read_document(DOCUMENT)
