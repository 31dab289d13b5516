"""A cross-encoder that orders anew what was found: any model that gives one score to a pair."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

from api.services import Services
from kb.errors import ModelError
from kb.settings import Settings, load_settings
from models.rerank import load_reranker

QUESTION = "QLoRA 的适用场景是什么？"


def cross_encoder(folder: Path, labels: int = 1) -> Path:
    """A BERT of one layer over characters, with random weights."""
    folder.mkdir()
    letters = [chr(code) for code in (*range(33, 127), *range(0x4E00, 0x9000))]
    (folder / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]), encoding="utf-8"
    )
    tokenizer = BertTokenizer(vocab=str(folder / "vocab.txt"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,
    )
    config.num_labels = labels
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(str(folder))
    return folder


def test_what_was_found_is_ordered_by_the_cross_encoder(
    guide_settings: Settings, services: Services, tmp_path: Path
) -> None:
    model = cross_encoder(tmp_path / "model")
    settings = guide_settings.model_copy(update={"reranker": str(model)})
    reranker = load_reranker(settings)
    assert reranker is not None
    with Services(settings) as reranked:
        found = reranked.search(QUESTION, 5)
    texts = [hit.passage.indexed for hit in found.hits]
    np.testing.assert_allclose([hit.score for hit in found.hits], reranker.scores(QUESTION, texts), atol=1e-5)
    assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)
    before = {hit.passage.id for hit in services.search(QUESTION, 20).hits}
    assert {hit.passage.id for hit in found.hits} <= before
    assert found.answerable == pytest.approx(services.search(QUESTION, 5).answerable)


def test_scores_are_shares_one_for_each_passage(tmp_path: Path) -> None:
    reranker = load_reranker(load_settings(reranker=str(cross_encoder(tmp_path / "model"))))
    assert reranker is not None
    scores = reranker.scores("问", ["一", "二二", "three"])
    assert scores.shape == (3,)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert reranker.scores("问", []).shape == (0,)


def test_none_unless_set() -> None:
    assert load_reranker(load_settings()) is None


def test_a_model_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gives 3 scores.*GUIDE_RERANKER"):
        load_reranker(load_settings(reranker=str(cross_encoder(tmp_path / "three", labels=3))))
    with pytest.raises(ModelError, match=r"GUIDE_RERANKER = .*nowhere: no such folder"):
        load_reranker(load_settings(reranker=str(tmp_path / "nowhere")))
