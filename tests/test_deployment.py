"""What is deployed: the image's files, the compose file, and the same topology as processes on this machine."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from kb.settings import ROOT, SOURCES, Settings
from tests.serving import GUIDE, started_guide

COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return loaded


def test_the_compose_file_is_one() -> None:
    checker = str(Path(sys.executable).with_name("check-jsonschema"))
    command = [checker, "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout


def test_services_need_and_mount_what_there_is(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        named = [volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith(".")]
        assert set(named) <= set(compose["volumes"])


def test_only_the_api_is_reached_from_outside_and_from_this_machine_alone(compose: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert set(ports) == {"api", "api-gpu"}
    assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)


def test_what_is_set_for_the_containers_are_settings(compose: dict[str, Any]) -> None:
    set_there = set(compose["services"]["api"]["environment"]) | set(re.findall(r"\b(GUIDE_[A-Z_]+)=", DOCKERFILE))
    assert set_there <= {f"GUIDE_{name.upper()}" for name in Settings.model_fields}


def test_the_chroma_server_is_of_the_version_that_is_tested(compose: dict[str, Any]) -> None:
    version = re.search(r"^chromadb==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    assert compose["services"]["chroma"]["image"] == f"chromadb/chroma:{version[1]}"


def test_the_image_gets_every_package_and_nothing_that_is_not_there() -> None:
    copied = {name for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()}
    let_in = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)
    packages = re.search(r"^packages = \[(.+)\]$", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert packages is not None
    assert set(re.findall(r'"(\w+)"', packages[1])) <= copied


def sources(url: str, question: str) -> set[str]:
    reply = httpx2.post(f"{url}/v1/search", json={"question": question}, timeout=60)
    assert reply.status_code == 200
    return {passage["source"] for passage in reply.json()["passages"]}


def test_one_api_answers_while_the_other_is_killed(chroma_server: str, tmp_path: Path) -> None:
    ingest = [GUIDE, "ingest", str(SOURCES / "quick_start.md"), "--home", str(tmp_path)]
    subprocess.run(ingest, check=True, capture_output=True, env=os.environ | {"GUIDE_CHROMA_URL": chroma_server})
    with (
        started_guide(tmp_path, GUIDE_CHROMA_URL=chroma_server) as first,
        started_guide(tmp_path, GUIDE_CHROMA_URL=chroma_server) as second,
    ):
        assert sources(first.url, "什么是 LoRA？") == sources(second.url, "什么是 LoRA？") == {"quick_start.md"}

        note = {"file_name": "秋千.md", "text": "# 秋千\n\n荡秋千要在最低处蹲下，在最高处站起。"}
        assert httpx2.post(f"{first.url}/v1/ingest/text", json=note, timeout=60).status_code == 200
        first.process.kill()
        assert "秋千.md" in sources(second.url, "怎样荡秋千？")  # what the dead one took in is there
        assert httpx2.get(f"{second.url}/health").status_code == 200
