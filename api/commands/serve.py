"""`guide serve`: the REST interface."""

import ipaddress
import socket
import sys
from typing import TYPE_CHECKING

from api.options import complain, with_settings
from kb.errors import ConfigError

if TYPE_CHECKING:
    from kb.settings import Settings

KEEP_ALIVE_SECONDS = 65  # longer than clients keep a connection for later, so that it is theirs to close
ENDING_SECONDS = 45  # for requests to end once the server is to; then those whose clients stand still are dropped
SWITCH_SECONDS = 0.001  # so that a thread that computes does not hold up the one that takes requests


@with_settings("host", "port", "top_k", "chat_model", "embedding_model", "device")
def serve(*, settings: "Settings") -> None:
    """Serve search, answers and comparisons over HTTP until interrupted."""
    with _bound(settings.host, settings.port) as listening:
        address, port = listening.getsockname()[:2]
        if not ipaddress.ip_address(address).is_loopback and settings.api_key is None:
            raise ConfigError(
                f"GUIDE_HOST = {settings.host}: others can reach it, and could ask and read all. Bind 127.0.0.1, "
                "or set GUIDE_API_KEY to a secret that every request must carry."
            )
        where = f"[{address}]" if ":" in address else address
        complain(f"http://{where}:{port} is being served, its documentation at /docs; Ctrl-C ends it.")
        import uvicorn

        from api.app import create_app
        from api.memory import keep_few_arenas
        from api.observe import configure_logs

        keep_few_arenas()
        configure_logs(settings.log_format)
        sys.setswitchinterval(SWITCH_SECONDS)
        config = uvicorn.Config(
            create_app(settings, warm_up=True),
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=ENDING_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigError: the address is not of this machine, or the port is taken or not allowed.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as problem:
        raise ConfigError(
            f"GUIDE_HOST = {host}, GUIDE_PORT = {port}: can't be bound ({problem.strerror or problem}). "
            "Choose another with --host and --port; --port 0 takes a free one."
        ) from problem
