"""Files into the knowledge base: what changed and only that, and one bad file among good ones."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ingest.documents import document_id
from ingest.files import find_files, no_files, other_kinds, readable_name
from ingest.pipeline import Ingested, Pipeline
from kb.errors import ModelError, UnreachableError
from kb.settings import SOURCES, Settings
from kb.store import Store
from models.embed import Embedder, load_embedder
from models.embedding_pieces import train_pieces
from models.lines import line_vectors

TEXT = "# 微调\n\nLoRA 只训练少量参数。\n"


def make_embedding(folder: Path, dimension: int) -> Path:
    """A static embedding model with random vectors."""
    folder.mkdir(parents=True)
    pieces = train_pieces([(SOURCES / "llm_guide.md").read_text(encoding="utf-8")], vocab_size=900, alphabet=700)
    pieces.save(str(folder / "tokenizer.json"))
    table = np.random.default_rng(dimension).normal(size=(pieces.get_vocab_size(), dimension)).astype(np.float32)
    save_file({"embedding.weight": table}, folder / "model.safetensors")
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "StaticEmbedding"}]))
    (folder / "config_sentence_transformers.json").write_text("{}")
    return folder


@dataclass
class Setup:
    """A knowledge base with its pipeline; `loaded` counts how often the embedding model was loaded."""

    settings: Settings
    store: Store
    loaded: list[str] = field(default_factory=list)

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(self.store, self.embedder, self.settings)

    def embedder(self) -> Embedder:
        self.loaded.append(self.settings.embedding_model)
        return load_embedder(self.settings)

    def ingest(self, *paths: Path) -> list[Ingested]:
        return list(self.pipeline.ingest(paths))

    def names(self) -> list[str]:
        return [info.name for info in self.store.documents()]


@pytest.fixture(scope="module")
def embedding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_embedding(tmp_path_factory.mktemp("models") / "embedding", 8)


@pytest.fixture
def base(tmp_path: Path, embedding: Path, chroma_url: str | None) -> Iterator[Setup]:
    settings = Settings(home=tmp_path / "home", embedding_model=str(embedding), chroma_url=chroma_url)
    with closing(Store.open(settings)) as store:
        yield Setup(settings, store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    (folder / "子 夹").mkdir(parents=True)
    (folder / "a.md").write_text(TEXT, encoding="utf-8")
    (folder / "子 夹" / "乙.txt").write_bytes("没有标题的一段话。".encode("gbk"))
    (folder / "c.rst").write_text("Title\n=====\n\nSome text.\n")
    return folder


def statuses(outcomes: list[Ingested]) -> dict[str, str]:
    return {outcome.name: outcome.status for outcome in outcomes}


def test_a_folder_is_taken_in_with_all_below_it(base: Setup, folder: Path) -> None:
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "d.md").write_text("# no")
    assert statuses(base.ingest(folder)) == {"a.md": "added", "c.rst": "added", "子 夹/乙.txt": "added"}
    assert [(info.name, info.title, info.encoding) for info in base.store.documents()] == [
        ("a.md", "微调", "utf-8"),
        ("c.rst", "Title", "utf-8"),
        ("子 夹/乙.txt", "乙", "gb18030"),
    ]
    assert base.store.document("子 夹/乙.txt").text == "没有标题的一段话。"
    (passage,) = (passage for passage in base.store.passages() if passage.source == "a.md")
    asked = load_embedder(base.settings).embed_passages([passage.indexed])[0]
    ((nearest, score),) = base.store.nearest(asked, 1)
    assert nearest == passage
    assert score == pytest.approx(1, abs=1e-5)


def test_what_has_not_changed_is_passed_over_without_loading_a_model(base: Setup, folder: Path) -> None:
    first = base.ingest(folder)
    version, loaded = base.store.version(), list(base.loaded)
    second = base.ingest(folder)
    assert statuses(second) == dict.fromkeys(statuses(first), "unchanged")
    assert [(each.document_id, each.passages) for each in second] == [
        (each.document_id, each.passages) for each in first
    ]
    assert (base.store.version(), base.loaded) == (version, loaded)


def test_an_unchanged_document_costs_no_heavy_import(base: Setup, folder: Path) -> None:
    base.ingest(folder)
    code = f"""
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from kb.settings import Settings
from kb.store import Store
from ingest.pipeline import Pipeline
settings = Settings(
    home=Path({str(base.settings.home)!r}),
    embedding_model={base.settings.embedding_model!r},
    chroma_url={base.settings.chroma_url!r},
)
pipeline = Pipeline(Store.open(settings), None, settings)
print([outcome.status for outcome in pipeline.ingest([Path({str(folder)!r})])])
print({{"torch", "transformers", "sentence_transformers", "chromadb", "jieba", "bm25s"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['unchanged', 'unchanged', 'unchanged']", "set()"]


def test_a_changed_document_replaces_its_old_version(base: Setup, folder: Path) -> None:
    base.ingest(folder)
    (folder / "a.md").write_text("# 合并\n\n用 merge_and_unload 合并。\n", encoding="utf-8")
    assert statuses(base.ingest(folder)) == {"a.md": "changed", "c.rst": "unchanged", "子 夹/乙.txt": "unchanged"}
    assert base.store.document("a.md").title == "合并"
    assert [passage.text for passage in base.store.passages() if "LoRA" in passage.text] == []


def test_a_bad_file_does_not_stop_the_rest_and_loses_nothing(base: Setup, folder: Path) -> None:
    base.ingest(folder)
    (folder / "a.md").write_bytes(b"\x00\x01\x02binary" * 50)
    (folder / "b.md").write_bytes(b"")
    (folder / "d.md").write_text("# 新\n\n新的一段。", encoding="utf-8")
    outcomes = base.ingest(folder, folder / "none.md")
    assert statuses(outcomes) == {
        "a.md": "failed",
        "b.md": "failed",
        "c.rst": "unchanged",
        "d.md": "added",
        "子 夹/乙.txt": "unchanged",
        "none.md": "failed",
    }
    for outcome in outcomes:
        assert (outcome.error is not None) == (outcome.status == "failed")
        assert outcome.error is None or outcome.name in outcome.error
    assert base.store.document("a.md").text == TEXT


def test_a_renamed_file_is_a_renamed_document(base: Setup, folder: Path) -> None:
    base.ingest(folder)
    (folder / "a.md").rename(folder / "新名.md")
    outcomes = base.ingest(folder)
    assert statuses(outcomes)["新名.md"] == "changed"
    assert base.names() == ["c.rst", "子 夹/乙.txt", "新名.md"]
    assert {passage.source for passage in base.store.passages()} == set(base.names())
    assert set(statuses(base.ingest(folder)).values()) == {"unchanged"}


def test_a_copy_is_not_stored_twice(base: Setup, folder: Path) -> None:
    shutil.copy(folder / "a.md", folder / "copy.md")
    outcomes = {outcome.name: outcome for outcome in base.ingest(folder)}
    assert outcomes["copy.md"].status == "unchanged"
    assert outcomes["copy.md"].document_id == outcomes["a.md"].document_id == document_id("a.md")
    assert "copy.md" not in base.names()
    assert base.pipeline.ingest_bytes("sent.md", TEXT.encode()).document_id == document_id("a.md")


def test_files_of_one_name_are_told_apart_or_refused(base: Setup, folder: Path) -> None:
    (folder / "子 夹" / "a.md").write_text("# 另一篇", encoding="utf-8")
    outcomes = base.ingest(folder / "a.md", folder / "子 夹" / "a.md", folder / "a.md")
    assert [outcome.status for outcome in outcomes] == ["added", "failed"]
    assert "same name" in str(outcomes[1].error)
    assert statuses(base.ingest(folder))["子 夹/a.md"] == "added"


def test_progress_counts_every_file(base: Setup, folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    list(base.pipeline.ingest([folder], lambda *told_now: told.append(told_now)))
    assert told == [("a.md", 0, 3), ("c.rst", 1, 3), ("子 夹/乙.txt", 2, 3), ("子 夹/乙.txt", 3, 3)]


def test_another_embedding_model_indexes_everything_anew(base: Setup, folder: Path, tmp_path: Path) -> None:
    base.ingest(folder)
    settings = base.settings.model_copy(update={"embedding_model": str(make_embedding(tmp_path / "other", 12))})
    other = Setup(settings, base.store)
    (folder / "a.md").write_text("# 新\n\n新的一段。", encoding="utf-8")
    assert statuses(other.ingest(folder / "a.md")) == {"a.md": "changed"}
    embedder = load_embedder(settings)
    assert base.store.embedding == embedder.fingerprint
    passages = base.store.passages()
    for passage in passages:
        assert base.store.nearest(embedder.embed_passages([passage.indexed])[0], 1)[0][0] == passage
    records = [(generation, len(some or ())) for generation, some in base.store.records([])[1]]
    places = [(generation, number) for generation, count in records for number in range(count)]
    assert base.store.lines(places) == line_vectors(passages, embedder)


def test_a_missing_embedding_model_is_an_error_and_stores_nothing(base: Setup, folder: Path) -> None:
    settings = base.settings.model_copy(update={"embedding_model": str(folder / "no-model")})
    with pytest.raises(ModelError, match="GUIDE_EMBEDDING_MODEL"):
        Setup(settings, base.store).ingest(folder)
    assert base.names() == []


def test_a_server_that_is_down_ends_it_all_at_once(base: Setup, folder: Path, refusing_port: int) -> None:
    url = f"http://127.0.0.1:{refusing_port}"
    settings = base.settings.model_copy(update={"chroma_url": url})
    with (
        closing(Store.open(settings)) as store,
        pytest.raises(UnreachableError, match=f"{url} .*GUIDE_CHROMA_URL"),
    ):
        Setup(settings, store).ingest(folder)
    assert base.names() == []
    assert set(statuses(base.ingest(folder)).values()) == {"added"}


def test_a_document_that_is_sent(base: Setup) -> None:
    outcome = base.pipeline.ingest_bytes("笔记.md", TEXT.encode("utf-16"))
    assert (outcome.status, outcome.passages, outcome.document_id) == ("added", 1, document_id("笔记.md"))
    assert base.pipeline.ingest_bytes("笔记.md", TEXT.encode("utf-16")).status == "unchanged"
    assert base.pipeline.ingest_bytes("笔记.md", b"# other").status == "changed"


@pytest.mark.parametrize("name", ["", "../a.md", "/etc/a.md", "a/../b.md", "a\\b.md"])
def test_a_name_that_leads_elsewhere_is_refused(base: Setup, name: str) -> None:
    outcome = base.pipeline.ingest_bytes(name, TEXT.encode())
    assert outcome.status == "failed"
    assert "name" in str(outcome.error)


def test_a_document_that_is_too_large_is_refused(base: Setup) -> None:
    small = Pipeline(base.store, base.embedder, base.settings.model_copy(update={"max_document_mb": 0.00001}))
    assert "GUIDE_MAX_DOCUMENT_MB" in str(small.ingest_bytes("a.md", TEXT.encode()).error)


def test_many_documents_are_all_there_in_order(base: Setup, tmp_path: Path) -> None:
    for number in range(150):
        (tmp_path / f"{number:03}.md").write_text(f"# 第 {number} 篇\n\n第 {number} 篇的内容。", encoding="utf-8")
    outcomes = base.ingest(tmp_path)
    assert [outcome.name for outcome in outcomes] == base.names() == [f"{number:03}.md" for number in range(150)]
    assert all(outcome.status == "added" for outcome in outcomes)


def test_folders_without_documents_and_odd_files_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "empty").mkdir()
    errors = [found.error for found in find_files([tmp_path / "empty", tmp_path / "pipe.md"])]
    assert "no documents" in str(errors[0])
    assert "not a regular file" in str(errors[1])


def test_files_of_other_kinds_are_counted(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("a.md", "b.XLS", "below/c.xls", "below/LICENSE", ".hidden.png", "below/~$d.ppt", "below/d.pdf"):
        (tmp_path / name).write_text("a")
    assert other_kinds([tmp_path, tmp_path / "b.XLS"]) == {".xls": 2, "LICENSE": 1}


def test_what_is_no_file_below_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# a")
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")
    (tmp_path / "round.md").symlink_to(tmp_path / "round.md")
    os.mkfifo(tmp_path / "pipe.md")
    assert [found.name for found in find_files([tmp_path])] == ["a.md"]
    assert {path.name: what for path, what in no_files([tmp_path, tmp_path / "pipe.md"])} == {
        "gone.md": "a broken link",
        "round.md": "a broken link",
        "pipe.md": "a pipe or device",
    }


def test_links_that_go_round_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# a")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "b.md").symlink_to(tmp_path / "a.md")
    assert [found.name for found in find_files([tmp_path])] == ["a.md"]


def test_a_name_stays_on_its_line_and_steers_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "a\nb\x1b[2J.md").write_text("# a")
    assert [found.name for found in find_files([tmp_path])] == ["a\ufffdb\ufffd[2J.md"]


def test_names_in_other_encodings_are_read() -> None:
    assert readable_name(os.fsdecode("指南.md".encode("gbk"))) == "指南.md"
    assert readable_name("e\u0301.md") == "é.md"
    assert readable_name(os.fsdecode(b"\xff.md")) == "\ufffd.md"
