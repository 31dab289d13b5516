"""How a server does under load: many clients that search, ask, stream, leave and send documents at the same time.

    python -m tests.benchmarks.load [--clients 64] [--seconds 180] [--steady] [--out RECORD.json]

First, with one client, what `/v1/search` takes beyond the retriever called in this process, each question to both in
turn. Then the clients, each asking as soon as it has its reply and waiting when told to come again, while another
process asks for `/health` ten times a second (for comparison it did so before, when nothing else was asked) and the
server's memory is read once a second. At the end every document
that was acknowledged must be there, and none that was deleted. Fails when a promise is broken: an error of the server
that is not deliberate, memory that grows by more than 5 % from the first third to the last, a document that is missing.

A client sends one new document after another, so that the knowledge base grows, and memory with it; with `--steady` it
writes its few documents anew and deletes them, so that what grows is not the knowledge base. The time before, in which
the clients warm the server up, is not counted.
"""

import argparse
import asyncio
import multiprocessing
import random
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

import httpx2
import psutil

from api.services import Services
from kb.settings import SOURCES, load_settings
from tests.benchmarks.provenance import provenance, write_record
from tests.serving import running_guide

QUESTIONS = (
    "LLaMA 3 是哪一年发布的？",
    "QLoRA 的适用场景是什么？",
    "提示工程的缺点是什么？",
    "怎么查看当前的 peft 版本？",
    "视频生成用 diffusers 的哪个 Pipeline？",
    "What does QLoRA combine?",
    "今天天气怎么样？",
)
WARM_UP, COMPARED = 30, 300
IDLE_SECONDS, WARMING_SECONDS = 10.0, 30.0
KEPT = 2  # documents of a client whose knowledge base is to stay as large as it is
DELIBERATE = {429, 503}
GROWTH = 1.05


@dataclass
class Seen:
    """What the clients saw: statuses and seconds by kind of request, and the documents that were acknowledged."""

    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    documents: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)


class Client:
    """One client, that does one thing after another until the time is over."""

    def __init__(self, number: int, http: httpx2.AsyncClient, seen: Seen, *, steady: bool) -> None:
        self._number, self._http, self._seen, self._steady = number, http, seen, steady
        self._random = random.Random(number)
        self._sent = 0
        self._ids: dict[str, str] = {}

    async def run(self, until: float) -> None:
        kinds: list[tuple[str, Callable[[], Awaitable[httpx2.Response]]]] = [
            ("search", self._search),
            ("ask", self._ask),
            ("stream", self._stream),
            ("leave", self._leave),
            ("ingest", self._rewrite if self._steady else self._ingest),
        ]
        while time.monotonic() < until:
            name, act = self._random.choices(kinds, weights=(50, 15, 10, 10, 15))[0]
            began = time.monotonic()
            try:
                response = await act()
            except httpx2.HTTPError as problem:
                self._seen.broken.append(f"{name}: {problem!r}")
                continue
            self._seen.statuses[name][response.status_code] += 1
            if response.status_code == 200:
                self._seen.seconds[name].append(time.monotonic() - began)
            elif response.status_code in DELIBERATE:
                await asyncio.sleep(self._random.uniform(0.2, 1) * float(response.headers.get("retry-after", 1)))
            else:
                self._seen.broken.append(f"{name}: {response.status_code} {response.text[:300]}")

    @property
    def _question(self) -> str:
        return self._random.choice(QUESTIONS)

    async def _search(self) -> httpx2.Response:
        return await self._http.post("/v1/search", json={"question": self._question})

    async def _ask(self) -> httpx2.Response:
        return await self._http.post("/v1/ask", json={"question": self._question})

    async def _stream(self) -> httpx2.Response:
        """A whole streamed answer; the end of it is missed when it is not said."""
        async with self._http.stream("POST", "/v1/chat/completions", json=self._chat(use_context=True)) as response:
            text = (await response.aread()).decode()
            if response.status_code == 200 and not text.endswith("data: [DONE]\n\n"):
                self._seen.broken.append(f"stream: ends with {text[-200:]}")
            return response

    async def _leave(self) -> httpx2.Response:
        """Reads the beginning of an answer and goes."""
        async with self._http.stream("POST", "/v1/chat/completions", json=self._chat(use_context=False)) as response:
            if response.status_code != 200:
                await response.aread()
            else:
                async for _ in response.aiter_bytes():
                    break
            return response

    def _chat(self, *, use_context: bool) -> dict[str, Any]:
        asked = [{"role": "user", "content": self._question}]
        return {"messages": asked, "use_context": use_context, "stream": True, "max_tokens": 64}

    async def _ingest(self) -> httpx2.Response:
        return await self._send(f"{self._number}-{self._sent}.md")

    async def _rewrite(self) -> httpx2.Response:
        """Another text for one of the client's few documents, or every third time its deletion."""
        name = f"{self._number}-{self._sent % KEPT}.md"
        if self._sent % 3 or name not in self._ids:
            return await self._send(name)
        self._sent += 1
        response = await self._http.delete(f"/v1/ingest/{self._ids.pop(name)}")
        self._seen.documents.discard(name)
        return response

    async def _send(self, name: str) -> httpx2.Response:
        self._sent += 1
        text = f"# 笔记 {name}\n\n第 {self._number} 位的第 {self._sent} 份笔记。\n"
        response = await self._http.post("/v1/ingest/text", json={"file_name": name, "text": text})
        if response.status_code == 200:
            self._seen.documents.add(name)
            self._ids[name] = response.json()["data"][0]["doc_id"]
        return response


def overhead(url: str, home: Path) -> dict[str, Any]:
    """Milliseconds of a search through the server and of the same one in this process."""
    beside: list[tuple[float, float]] = []
    with Services(load_settings(home=home)) as services, httpx2.Client(base_url=url, timeout=60) as http:
        for number in range(WARM_UP + COMPARED):
            question = QUESTIONS[number % len(QUESTIONS)]
            began = time.perf_counter()
            services.search(question)
            between = time.perf_counter()
            http.post("/v1/search", json={"question": question}).raise_for_status()
            beside.append((1000 * (between - began), 1000 * (time.perf_counter() - between)))
    inside, through = zip(*beside[WARM_UP:], strict=True)
    return {
        "in_process_p50_ms": round(median(inside), 2),
        "server_p50_ms": round(median(through), 2),
        "overhead_p50_ms": round(median(through) - median(inside), 2),
    }


def probe(url: str, seconds: float, found: Any) -> None:
    """Sends the milliseconds of one `/health` after another, ten a second, from a process of its own."""
    taken = []
    until = time.monotonic() + seconds
    with httpx2.Client(base_url=url, timeout=60) as http:
        while time.monotonic() < until:
            began = time.perf_counter()
            http.get("/health").raise_for_status()
            taken.append(1000 * (time.perf_counter() - began))
            time.sleep(0.1)
    found.send(taken)


def probed(url: str, seconds: float) -> "tuple[Any, Any]":
    """A process that probes, and where what it finds comes from."""
    found, send = multiprocessing.Pipe(duplex=False)
    prober = multiprocessing.get_context("spawn").Process(target=probe, args=(url, seconds, send))
    prober.start()
    return prober, found


async def crowd(
    url: str, clients: int, seconds: float, process: psutil.Process, *, steady: bool
) -> tuple[Seen, list[float], list[float]]:
    """What so many clients see in so many seconds, once they have warmed the server up.

    With it, the server's memory in MB, once a second, and the milliseconds of each `/health`.
    """
    seen, memory = Seen(), []

    async def watch(until: float) -> None:
        while time.monotonic() < until:
            with suppress(psutil.NoSuchProcess):
                family = [process, *process.children(recursive=True)]
                memory.append(sum(each.memory_info().rss for each in family) / 1e6)
            await asyncio.sleep(1)

    limits = httpx2.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx2.AsyncClient(base_url=url, timeout=120, limits=limits) as http:
        crowded = [Client(number, http, seen, steady=steady) for number in range(clients)]
        warm = time.monotonic() + WARMING_SECONDS
        await asyncio.gather(*(each.run(warm) for each in crowded))
        seen.statuses.clear()
        seen.seconds.clear()
        prober, found = probed(url, seconds)
        until = time.monotonic() + seconds
        await asyncio.gather(watch(until), *(each.run(until) for each in crowded))
    health = found.recv()
    prober.join()
    return seen, memory, health


def measure(clients: int, seconds: float, *, steady: bool) -> tuple[dict[str, Any], list[str]]:
    """The record's figures, and the promises that were broken."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Services(load_settings(home=home)) as services:
            list(services.pipeline.ingest([SOURCES]))
        with running_guide(home) as url, httpx2.Client(base_url=url, timeout=120) as http:
            http.get("/ready").raise_for_status()
            http.post(
                "/v1/ingest/text", json={"file_name": "warm-up.md", "text": "# 热身\n\n热身。"}
            ).raise_for_status()
            beyond = overhead(url, home)
            process = _server_of(url)
            prober, found = probed(url, IDLE_SECONDS)
            idle = found.recv()
            prober.join()
            before = _documents(http)
            seen, memory, health = asyncio.run(crowd(url, clients, seconds, process, steady=steady))
            listed = _documents(http)
            placed = float(re.findall(r"^guide_answers (\S+)$", http.get("/metrics").text, re.MULTILINE)[0])
    third = len(memory) // 3
    growth = mean(memory[-third:]) / mean(memory[:third])
    missing, extra = seen.documents - listed, listed - seen.documents - before
    broken = [*seen.broken, *(f"missing: {name}" for name in missing), *(f"not deleted: {name}" for name in extra)]
    if growth > GROWTH:
        broken.append(f"memory grows by {growth - 1:.1%}")
    if placed:
        broken.append(f"{placed:.0f} places are still taken")
    return {
        "search": beyond,
        "health_idle_ms": _percentiles(idle),
        "health_ms": _percentiles(health),
        "requests": {name: dict(sorted(counts.items())) for name, counts in sorted(seen.statuses.items())},
        "seconds": {name: _percentiles(taken) for name, taken in sorted(seen.seconds.items())},
        "memory_mb": {"first_third": round(mean(memory[:third])), "last_third": round(mean(memory[-third:]))},
        "memory_growth": round(growth - 1, 4),
        "documents": {"before": len(before), "acknowledged": len(seen.documents), "missing": len(missing)},
    }, broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--steady", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    figures, broken = measure(given.clients, given.seconds, steady=given.steady)
    record = {
        "clients": given.clients,
        "seconds": given.seconds,
        "steady": given.steady,
        **figures,
        "broken": broken[:20],
        **provenance("fastapi", "uvicorn", "torch", "chromadb"),
    }
    print(record)
    if given.out:
        write_record(given.out, record)
    sys.exit(1 if broken else 0)


def _documents(http: httpx2.Client) -> set[str]:
    return {row["name"] for row in http.get("/v1/documents").json()["documents"]}


def _server_of(url: str) -> psutil.Process:
    port = int(url.rsplit(":", 1)[1])
    return next(
        child
        for child in psutil.Process().children(recursive=True)
        if any(
            connection.laddr.port == port
            for connection in child.net_connections("tcp")
            if connection.status == "LISTEN"
        )
    )


def _percentiles(values: list[float]) -> dict[str, float]:
    if len(values) < 2:
        return {"count": len(values)}
    cut = quantiles(values, n=100)
    return {"count": len(values), "p50": round(cut[49], 3), "p95": round(cut[94], 3), "p99": round(cut[98], 3)}


if __name__ == "__main__":
    main()
