"""The REST interface against its own OpenAPI document: requests that schemathesis makes up, and all its checks.

tests/benchmarks/schema_cases.py does the same with thousands of cases.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import SkipTest

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from api.services import Services
from kb.settings import load_settings
from tests.serving import running_guide

CASES = 6  # for each route, of requests that are right and of such that are not
DELIBERATE = {429, 503}  # told in the document, and right where too much is asked at once


@contextmanager
def served_schema(home: Path, base: Path, adapter: Path) -> Iterator[schemathesis.BaseSchema]:
    """That of a server over five small documents, with a model that answers at once."""
    given = {"GUIDE_CHAT_MODEL": str(base), "GUIDE_ADAPTER": str(adapter), "GUIDE_MAX_DOCUMENT_MB": "0.1"}
    with Services(load_settings(home=home)) as services:
        for n in range(5):
            text = f"# 第 {n} 篇\n\n第 {n} 篇的内容。\n\n| 名 | 值 |\n|---|---|\n| 甲 | {n} |\n"
            services.pipeline.ingest_bytes(f"{n}.md", text.encode())
    with running_guide(home, **given) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


def test_every_reply_is_as_the_document_says(tmp_path: Path, tiny_base: Path, tiny_adapter: Path) -> None:
    with served_schema(tmp_path, tiny_base, tiny_adapter) as schema:
        cases, broken = check_all(schema, CASES, derandomize=True)
    assert cases > 100
    assert not broken, "\n\n".join(broken)


def check_all(schema: schemathesis.BaseSchema, most: int, *, derandomize: bool = False) -> tuple[int, list[str]]:
    """How many requests were made up, up to so many for each route and kind of request, and what was broken.

    All checks but one: that a request is as the document says does not mean that it can be taken, for a conversation
    has to end with the user's turn, and a name must lead nowhere else. Nor is an upload held to be wrong by its type:
    whatever is sent as a file is bytes.
    """
    broken, cases = [], 0
    for operation in (found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)):
        for mode in schemathesis.GenerationMode:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=most,
                deadline=None,
                database=None,
                derandomize=derandomize,
                suppress_health_check=list(HealthCheck),
            )
            def check(case: "schemathesis.Case[Any]") -> None:
                nonlocal cases
                cases += 1
                response = case.call(timeout=120)
                if response.status_code not in DELIBERATE:
                    uploads = case.media_type == "multipart/form-data"
                    left_out: list[Any] = [positive_data_acceptance, *([negative_data_rejection] if uploads else [])]
                    case.validate_response(response, excluded_checks=left_out)

            with suppress(Unsatisfiable, SkipTest):  # a route that takes nothing can't be sent anything wrong
                try:
                    check()
                except FailureGroup as problem:
                    told = "\n".join(str(each) for each in problem.exceptions)
                    broken.append(f"{operation.label}: {told:.1500}")
    return cases, broken
