"""`guide mcp`: the Model Context Protocol server."""

import threading
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from api.options import with_settings
from kb.errors import ConfigError

if TYPE_CHECKING:
    from kb.settings import Settings


@with_settings("top_k", "chat_model", "embedding_model", "device")
def mcp(*, settings: "Settings") -> None:
    """Serve the knowledge base to assistants over the Model Context Protocol, on standard input and output.

    Tools: search_guide, ask_guide, read_document. Resources: the documents.
    """
    if find_spec("mcp") is None:
        raise ConfigError("`guide mcp` needs the package mcp: run `pip install 'guide[mcp]'`.")
    from api.mcp import create_server
    from api.services import Services

    with Services(settings) as services, suppress(KeyboardInterrupt):
        threading.Thread(target=services.warm_up, name="warm-up", daemon=True).start()
        create_server(services).run()
