"""The knowledge base over the Model Context Protocol: tools to search, ask and read, and documents as resources."""

import functools
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, ParamSpec, TypeVar
from urllib.parse import quote

from mcp.server.mcpserver import MCPServer, ResourceSecurity
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp.types import Resource, ToolAnnotations
from pydantic import Field

from api.schemas import AskReply, SearchReply
from api.schemas_mcp import LinesOut
from api.services import Services
from kb.errors import GuideError, NotFoundError
from kb.records import Document

P = ParamSpec("P")
R = TypeVar("R")

INSTRUCTIONS = """\
A knowledge base of documents, in Chinese and English: a guide to language-model families, fine-tuning and PEFT, and \
whatever the user added. search_guide finds passages, ask_guide answers with citations or says that there is no \
answer, read_document reads the lines around a passage. Quote with source and lines. Characters that had to be \
inferred where a document was damaged come with how sure they are; say so when you rely on doubtful ones."""
MAX_LINES = 400
MARKDOWN = "text/markdown"
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)

Question = Annotated[str, Field(description="The question, in the language of the documents if possible.")]


class GuideServer(MCPServer[None]):
    """A server whose resources are the documents as they are now."""

    def __init__(self, services: Services) -> None:
        super().__init__(
            "guide",
            title="Guide",
            version=version("guide"),
            instructions=INSTRUCTIONS,
            log_level="WARNING",
            resource_security=ResourceSecurity(exempt_params={"name"}),  # a key of the store, never a path
        )
        self._services = services

    async def list_resources(self) -> list[Resource]:
        return [
            Resource(
                uri=f"guide://documents/{quote(row.name, safe='')}",
                name=row.name,
                title=row.title,
                mime_type=MARKDOWN,
            )
            for row in self._services.store.documents()
        ]


def create_server(services: Services) -> MCPServer[None]:
    """The server over the knowledge base and models of `services`."""
    server = GuideServer(services)

    @server.tool(title="Search the guide", annotations=READS)
    @_told
    def search_guide(
        question: Question, top_k: Annotated[int, Field(ge=1, le=50, description="How many passages.")] = 8
    ) -> SearchReply:
        """Find the passages nearest to a question, best first, with source, section and lines. Generates nothing."""
        return SearchReply.of(question, services.search(question, top_k))

    @server.tool(title="Ask the guide", annotations=READS)
    @_told
    def ask_guide(
        question: Question,
        adapter: Annotated[
            str | None, Field(description="A LoRA adapter's name, or none; the configured one unless given.")
        ] = None,
    ) -> AskReply:
        """Answer a question from the documents; each [n] refers to a verbatim quote; or `abstained`: there is none."""
        reply = AskReply.of(services.ask(question, adapter=adapter))
        return reply.model_copy(update={"passages": ()})  # the quotes say it; search_guide gives the rest

    @server.tool(title="Read a document", annotations=READS)
    @_told
    def read_document(
        name: Annotated[str, Field(description="The document's name or id, as citations have it in `source`.")],
        first_line: Annotated[int, Field(ge=1, description="Where to begin.")] = 1,
        last_line: Annotated[
            int | None, Field(ge=1, description=f"Where to end; {MAX_LINES} lines are read at most.")
        ] = None,
    ) -> LinesOut:
        """Read lines of a document's restored text, and what had to be inferred in them."""
        last = min(last_line or first_line + MAX_LINES - 1, first_line + MAX_LINES - 1)
        return LinesOut.of(services.store.document(name), first_line, last, services.settings.repair_threshold)

    @server.resource("guide://documents/{name}", title="Document", mime_type=MARKDOWN)
    def document(name: str) -> str:
        """A document's restored text."""
        return _document(services, name).text

    return server


def _document(services: Services, name: str) -> Document:
    try:
        return services.store.document(name)
    except NotFoundError as problem:
        raise ResourceNotFoundError(str(problem)) from problem
    except GuideError as problem:
        raise ResourceError(str(problem)) from problem


def _told(tool: Callable[P, R]) -> Callable[P, R]:
    """What the user can act on reaches the client as it is."""

    @functools.wraps(tool)
    def run(*arguments: P.args, **named: P.kwargs) -> R:
        try:
            return tool(*arguments, **named)
        except GuideError as problem:
            raise ToolError(str(problem)) from problem

    return run
