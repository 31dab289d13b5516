"""`guide mcp` as a process of its own, spoken to by the protocol's own client over standard input and output."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters

from api.cli import run
from api.services import Services
from kb.settings import ROOT

GUIDE = str(Path(sys.executable).with_name("guide"))
QUESTION = "QLoRA 的适用场景是什么？"
DAMAGED = "using_lora_models.md"


@asynccontextmanager
async def connected(home: str | Path) -> AsyncIterator[Client]:
    server = StdioServerParameters(command=GUIDE, args=["mcp", "--home", str(home)], env=dict(os.environ))
    async with Client(server, read_timeout_seconds=120) as client:
        yield client


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    reply = result.structured_content
    assert isinstance(reply, dict)
    return reply


async def refused(client: Client, tool: str, **arguments: object) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)  # type: ignore[union-attr]


def test_an_assistant_searches_asks_and_reads(guide_home: str, services: Services) -> None:
    async def converse() -> None:
        async with connected(guide_home) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert set(tools) == {"search_guide", "ask_guide", "read_document"}
            assert all(tool.description and tool.output_schema for tool in tools.values())

            found = await call(client, "search_guide", question=QUESTION, top_k=3)
            assert [passage["rank"] for passage in found["passages"]] == [1, 2, 3]

            answer = await call(client, "ask_guide", question=QUESTION)
            cited = answer["citations"][0]
            text = services.store.document(cited["source"]).text
            assert text[cited["start"] : cited["end"]] == cited["quote"]

            first, last = cited["lines"]
            read = await call(client, "read_document", name=cited["source"], first_line=first, last_line=last)
            assert cited["quote"] in read["text"]
            assert text[read["start"] : read["start"] + len(read["text"])] == read["text"]
            assert read["total_lines"] == text.count("\n") + 1

    anyio.run(converse)


def test_what_was_inferred_is_told_where_it_is_read(guide_home: str, services: Services) -> None:
    document = services.store.document(DAMAGED)
    repair = document.repairs[0]
    line = document.text.count("\n", 0, repair.start) + 1

    async def converse() -> None:
        async with connected(guide_home) as client:
            read = await call(client, "read_document", name=DAMAGED, first_line=line, last_line=line)
            told = read["repairs"][0]
            assert (told["start"], told["end"], told["after"]) == (repair.start, repair.end, repair.after)
            assert read["text"][told["start"] - read["start"] : told["end"] - read["start"]] == repair.after

    anyio.run(converse)


def test_documents_are_resources(guide_home: str, services: Services) -> None:
    async def converse() -> None:
        async with connected(guide_home) as client:
            resources = (await client.list_resources()).resources
            assert {resource.name for resource in resources} == {row.name for row in services.store.documents()}
            for resource in resources:
                content = (await client.read_resource(str(resource.uri))).contents[0]
                assert content.text == services.store.document(resource.name).text  # type: ignore[union-attr]
            with pytest.raises(MCPError, match="no-such"):
                await client.read_resource("guide://documents/no-such.md")

    anyio.run(converse)


def test_what_cannot_be_done_is_one_sentence_for_the_assistant(guide_home: str) -> None:
    async def converse() -> None:
        async with connected(guide_home) as client:
            assert "no-such" in await refused(client, "ask_guide", question=QUESTION, adapter="no-such")
            assert "no-such" in await refused(client, "read_document", name="no-such")
            assert "has no lines 9000000" in await refused(client, "read_document", name=DAMAGED, first_line=9_000_000)
            assert "GUIDE_MAX_QUESTION_CHARS" in await refused(client, "search_guide", question="问" * 100_000)
            assert "top_k" in await refused(client, "search_guide", question=QUESTION, top_k=0)

    anyio.run(converse)


def test_an_empty_knowledge_base_says_what_to_run(tmp_path: Path) -> None:
    async def converse() -> None:
        async with connected(tmp_path) as client:
            assert (await client.list_resources()).resources == []
            assert "guide ingest" in await refused(client, "search_guide", question="What is LoRA?")

    anyio.run(converse)


def test_without_the_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *(p for p in sys.path if "site-packages" not in p)])
    monkeypatch.delitem(sys.modules, "mcp")
    monkeypatch.setattr(sys, "path_importer_cache", {})
    assert run(["mcp", "--home", str(tmp_path)]) == 1
    assert "pip install 'guide[mcp]'" in capsys.readouterr().err


def test_the_configuration_in_the_documentation_starts_it() -> None:
    page = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")
    snippet = json.loads(page.split("```json\n")[1].split("```")[0])
    assert snippet["mcpServers"]["guide"]["args"][0] == "mcp"
