"""Models by hub id: fetched once, whole and no more than is needed; what the hub refuses is said in its own words."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import zeros

from kb.errors import ModelError
from kb.settings import Settings
from models.embed import load_embedder
from models.finetune import FinetuneConfig, finetune
from models.hub import find_model, model_name
from models.inspect import inspect_adapter, locate
from models.load import base_of
from models.names import parse_adapters
from models.rerank import load_reranker
from tests.hub_server import FakeHub, commit_of, running_hub
from tests.model_folders import edit_json, loaded


@pytest.fixture
def hub(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub with `o/tiny`, of which there is an earlier version `v1`."""
    save_file({"same": zeros(2)}, base / "consolidated.safetensors")
    (base / "pytorch_model.bin").write_bytes(b"a pickle")
    earlier = shutil.copytree(base, tmp_path / "earlier")
    edit_json(earlier / "config.json", note="earlier")
    with running_hub({"o/tiny": {"main": base, "v1": earlier}}) as hub:
        for constant, value in (
            ("HF_HUB_OFFLINE", False),
            ("ENDPOINT", hub.url),
            ("HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"),
            ("HF_HUB_CACHE", str(tmp_path / "cache")),
        ):
            monkeypatch.setattr(f"huggingface_hub.constants.{constant}", value)
        yield hub


def test_a_model_is_fetched_once_and_goes_by_its_id(hub: FakeHub) -> None:
    assert loaded("o/tiny").name == "o/tiny"
    fetched = {path.rpartition("/")[2] for path in hub.asked if "/resolve/" in path}
    assert "model.safetensors" in fetched
    assert not fetched & {"consolidated.safetensors", "pytorch_model.bin"}
    hub.asked.clear()
    loaded("o/tiny")
    assert hub.asked == []


def test_what_was_not_fetched_whole_is_fetched_again(hub: FakeHub) -> None:
    folder = locate("o/tiny", "GUIDE_CHAT_MODEL")
    (folder / "tokenizer.json").unlink()
    assert (locate("o/tiny", "GUIDE_CHAT_MODEL") / "tokenizer.json").is_file()
    assert hub.asked


def test_a_revision_is_taken_by_name_or_commit(hub: FakeHub) -> None:
    for revision in ("v1", commit_of("v1")):
        folder = locate(f"o/tiny@{revision}", "GUIDE_CHAT_MODEL")
        assert '"note": "earlier"' in (folder / "config.json").read_text()
        assert model_name(folder) == "o/tiny"
    with pytest.raises(ModelError, match=r"o/tiny@v9: the hub has no revision v9 of it\. Name a branch"):
        locate("o/tiny@v9", "GUIDE_CHAT_MODEL")
    assert any("/v9" in path for path in hub.asked)


@pytest.mark.usefixtures("hub")
def test_an_adapter_goes_with_the_revision_that_it_was_trained_on(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    turns = [{"role": "user", "content": "LoRA 是什么？"}, {"role": "assistant", "content": "低秩分解"}]
    data.write_text(f"{json.dumps({'messages': turns})}\n" * 3)
    finetune("o/tiny@v1", data, tmp_path / "learnt", FinetuneConfig(epochs=2), device="cpu")
    assert base_of(inspect_adapter(tmp_path / "learnt")) == locate("o/tiny@v1", "--base")
    config = json.loads((tmp_path / "learnt" / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("o/tiny", commit_of("v1"))
    edit_json(tmp_path / "learnt" / "adapter_config.json", base_model_name_or_path="o/gated")
    with pytest.raises(ModelError, match=r"its base o/gated is not to be had here\..*Ask for it at"):
        base_of(inspect_adapter(tmp_path / "learnt"))


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("o/gated", r"only to those whom its owner lets in\. Ask for it at https://huggingface\.co/o/gated, then run"),
        ("o/absent", r"no such model, or doesn't show it to you\. Check the name"),
        ("o/private", r"no such model, or doesn't show it to you.*HF_TOKEN"),
        ("o/unpinned", r"no revision main of it"),
        ("o/failing", r"not to be had from the hub now.*Check the name and the connection"),
        ("o/dropping", r"not to be had from the hub now.*Check the name and the connection"),
    ],
)
def test_what_the_hub_refuses_is_told_with_what_to_do(name: str, says: str) -> None:
    with pytest.raises(ModelError, match=rf"^GUIDE_CHAT_MODEL = {name}: .*{says}"):
        loaded(name)
    with pytest.raises(ModelError, match=rf"^GUIDE_EMBEDDING_MODEL = {name}: .*{says}"):
        load_embedder(Settings(embedding_model=name))
    with pytest.raises(ModelError, match=rf"^GUIDE_RERANKER = {name}: .*{says}"):
        load_reranker(Settings(reranker=name))


@pytest.mark.parametrize("name", ["/nowhere/at/all", "./nowhere", "~/nowhere", "~nobody-at-all/x", "/" + "a" * 300])
def test_a_path_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        find_model(name, "GUIDE_RERANKER")


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000, "a\0b", "https://huggingface.co/o/m", "@v1", ""])
def test_what_is_no_name_is_said_to_be_none(name: str) -> None:
    with pytest.raises(ModelError, match=r"neither a folder nor a hub id like owner/model"):
        find_model(name, "GUIDE_RERANKER")


def test_many_adapters_may_be_named_at_once() -> None:
    setting = ",".join(f"name{number}=/somewhere/lora{number}" for number in range(300))
    assert len(parse_adapters(setting)) == 300
