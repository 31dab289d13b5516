"""Work that waits its turn, and what is remembered of it."""

import gc
import weakref
from contextlib import closing
from functools import partial

import pytest

from api.jobs import JobQueue, Tell
from kb.errors import InputError


class Document:
    """Stands for what a job works on."""


def fail(tell: Tell, document: Document) -> None:
    tell("reading", 0.5)
    try:
        b"\xff".decode()
    except UnicodeDecodeError as problem:
        raise InputError(f"{document} is no text. Save it as UTF-8.") from problem


def test_a_job_that_failed_is_remembered_without_what_it_worked_on() -> None:
    document = Document()
    kept = weakref.ref(document)
    with closing(JobQueue[None]("test", 2)) as queue:
        job = queue.submit("a.md", partial(fail, document=document))
        del document
        with pytest.raises(InputError, match="no text"):
            job.finished.result(timeout=60)
        gc.collect()
        assert kept() is None
        assert queue.job(job.id).state == "failed"
        assert job.progress == 0.5
