"""Fixtures that several test modules share."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["HF_HUB_OFFLINE"] = "1"
import pytest
from hypothesis import settings

from tests.chroma_server import running_chroma
from tests.tiny import make_adapter, make_base

# Tests in the background ignore it, and then so does what they run.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("unhurried", deadline=None)  # a machine that has much to do is no failure
settings.register_profile("ci", derandomize=True, deadline=None)  # the same cases every time
settings.register_profile("long", deadline=None)  # by hand, where a test makes up much more then
settings.load_profile("ci" if os.environ.get("CI") else "unhurried")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from api.services import Services
    from kb.settings import Settings
    from tests.knowledge import OpenStore

for name in [name for name in os.environ if name.startswith("GUIDE_")]:
    del os.environ[name]  # the settings of whoever runs the tests are not the tests'


@pytest.fixture
def event_loop() -> "Iterator[None]":
    """A loop for llama-index, which makes one where it finds none and never closes it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_adapter(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(tiny_base, tmp_path_factory.mktemp("adapters") / "tiny.lora")


@pytest.fixture
def base(tiny_base: Path, tmp_path: Path) -> Path:
    """A copy of the tiny base that a test may change."""
    return shutil.copytree(tiny_base, tmp_path / "base")


@pytest.fixture
def adapter(tiny_adapter: Path, tmp_path: Path) -> Path:
    """A copy of the tiny adapter that a test may change."""
    return shutil.copytree(tiny_adapter, tmp_path / "adapter")


@pytest.fixture(scope="session")
def chroma_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Chroma server."""
    with running_chroma(tmp_path_factory.mktemp("chroma")) as url:
        yield url


@pytest.fixture(params=["folder", "server"])
def chroma_url(request: pytest.FixtureRequest) -> str | None:
    """What is set as `chroma_url`: nothing, for a folder of its own, or a server's address."""
    url: str | None = request.getfixturevalue("chroma_server") if request.param == "server" else None
    return url


@pytest.fixture
def open_store() -> "Iterator[OpenStore]":
    """Opens stores in a folder and, if an address is given, on a server; all are closed after the test."""
    from kb.store import Store

    with ExitStack() as opened:

        def open_one(home: Path, chroma_url: str | None = None) -> Store:
            home.mkdir(exist_ok=True)
            return opened.enter_context(closing(Store(home, chroma_url)))

        yield open_one


@pytest.fixture(scope="session")
def guide_folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A knowledge base that holds the guide, ingested once, and a copy of it that nobody opens."""
    from api.services import Services
    from kb.settings import SOURCES, load_settings

    home, spare = tmp_path_factory.mktemp("guide"), tmp_path_factory.mktemp("spare") / "guide"
    with Services(load_settings(home=home)) as services:
        failed = [outcome for outcome in services.pipeline.ingest([SOURCES]) if outcome.error is not None]
    assert not failed
    shutil.copytree(home, spare)
    return home, spare


@pytest.fixture(scope="session")
def guide_settings(guide_folders: tuple[Path, Path]) -> "Settings":
    """Settings of a knowledge base that holds the guide; no test may change it."""
    from kb.settings import load_settings

    return load_settings(home=guide_folders[0])


@pytest.fixture(scope="session")
def spare_home(guide_folders: tuple[Path, Path]) -> Path:
    """The guide's knowledge base, to be copied by tests that change theirs.

    One that is open must not be copied by this process: closing a file drops all locks that the process has on it
    (fcntl), and SQLite would delete what another connection still needs.
    """
    return guide_folders[1]


@pytest.fixture(scope="session")
def guide_home(guide_settings: "Settings") -> str:
    return str(guide_settings.home)


@pytest.fixture(scope="session")
def services(guide_settings: "Settings") -> "Iterator[Services]":
    """The services over the ingested guide, for reading only."""
    from api.services import Services

    with Services(guide_settings) as services:
        yield services


@pytest.fixture(scope="module")
def page_url(spare_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a copy of the guide, for tests of the page, which change it."""
    from tests.serving import running_guide

    home = shutil.copytree(spare_home, tmp_path_factory.mktemp("page") / "home")
    with running_guide(home) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A Chromium for one module: while it is open, nothing else can run an event loop here."""
    from playwright.sync_api import expect

    from tests.browser import SLOW, chromium, find_chromium

    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on this machine: `apt-get install chromium` brings one")
    expect.set_options(timeout=SLOW / 6)
    with chromium(path) as browser:
        yield browser


@pytest.fixture
def page(browser: "Browser", page_url: str) -> "Iterator[Page]":
    """A Chinese visitor's page, which must ask this server alone and complain of nothing."""
    from tests.browser import SLOW

    with browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.set_default_timeout(SLOW)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None
        )
        page.on("request", lambda asked: None if asked.url.startswith(page_url) else complaints.append(asked.url))
        page.goto(page_url)
        yield page
        assert complaints == []


@pytest.fixture
def refusing_port() -> Iterator[int]:
    """A port of this machine where nobody answers, nor can anybody begin to while the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C is felt, here and by processes started here, also where whoever runs the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
