"""The network that looks at doubtful places again: as trained, as run, and what it changes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.mojibake import restore
from ingest.mojibake.lattice import Certain, Choice
from ingest.mojibake.network import DATA, FAR, HIDDEN, UNKNOWN, Network, default_network
from ingest.mojibake.reconsider import WEIGHT, reconsider, view
from ingest.mojibake.train_network import Shape, TrainedNetwork, Trainer, lookalikes, train
from ingest.mojibake.tune_network import NEVER, Doubts, Judge, tune

VOCABULARY = "\ufffd\ufffea\n，。天地人大小不中与上下左右前后"
SHAPE = Shape(embedding=8, hidden=24, blocks=2, query=12, rows=4, word_rows=1, length=32)


@pytest.fixture(scope="module")
def trained() -> TrainedNetwork:
    torch.manual_seed(3)
    return TrainedNetwork(len(VOCABULARY), SHAPE).eval()


@pytest.fixture(scope="module")
def network(trained: TrainedNetwork) -> Network:
    weights = {name: value.numpy() for name, value in trained.state_dict().items()}
    return Network(weights | {"unknown": np.array([-2.0], np.float32)}, {s: n for n, s in enumerate(VOCABULARY)})


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(2, len(VOCABULARY) - 1), min_size=1, max_size=60))
def test_it_says_what_the_trained_network_says(trained: TrainedNetwork, network: Network, symbols: list[int]) -> None:
    padded = torch.tensor([[HIDDEN] * FAR + symbols + [HIDDEN] * FAR])
    with torch.no_grad():
        expected = trained(padded)[0].numpy()
    found = network.queries(np.array(symbols), list(range(len(symbols))))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_place_does_not_see_itself(network: Network) -> None:
    one, other = (network.queries(np.array([7, symbol, 9]), [1]) for symbol in (4, 5))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_only_doubtful_places_are_decided_again(network: Network) -> None:
    sure = Choice(1, 2, "天", (("天", 0.999), ("大", 0.001)))
    doubtful = Choice(3, 4, "不", (("不", 0.5), ("中", 0.3), ("龘", 0.2)))
    decided: list[Certain | Choice] = [
        Certain(0, 1, "人"),
        sure,
        Certain(2, 3, "，小"),
        doubtful,
        Certain(4, 5, "大。"),
    ]
    again = reconsider(decided, network)
    assert again[:3] + again[4:] == decided[:3] + decided[4:]
    changed = again[3]
    assert isinstance(changed, Choice)
    assert math.fsum(share for _, share in changed.ranked) == pytest.approx(1)
    assert changed.text == changed.ranked[0][0]
    seen, places = view(decided, {3}, network)
    (query,) = network.queries(seen, places)
    scores = network.scores(query, np.array([VOCABULARY.index("不"), VOCABULARY.index("中"), UNKNOWN]))
    assert scores[2] == -2.0
    shares = dict(changed.ranked)
    before = dict(doubtful.ranked)
    ratio = math.log(shares["不"] / shares["中"]) - math.log(before["不"] / before["中"])
    assert ratio == pytest.approx(WEIGHT * (scores[0] - scores[1]), abs=1e-5)


def test_lookalikes_share_all_bytes_but_one() -> None:
    found, real = lookalikes(VOCABULARY)
    for which, place in enumerate((2, 1)):
        for number, symbol in enumerate(VOCABULARY):
            row = [VOCABULARY[n] for n in found[which, number][real[which, number]]]
            data = symbol.encode()
            same = [
                other
                for other in VOCABULARY[2:]
                if len(other.encode()) == 3
                and [b for n, b in enumerate(other.encode()) if n != place]
                == [b for n, b in enumerate(data) if n != place]
            ]
            assert sorted(row) == (sorted(same) if len(data) == 3 and number > HIDDEN else [])
            assert not row or row[0] == symbol


def test_training_learns_and_a_run_that_was_stopped_goes_on_the_same(tmp_path: Path) -> None:
    text = np.array([VOCABULARY.index(symbol) for symbol in "天地大小，不与中。上下左右" * 60], np.uint16)
    runs = []
    for name in ("whole", "stopped"):
        folder = tmp_path / name
        folder.mkdir()
        for part in ("train", "words", "held_out"):
            text.tofile(folder / f"{part}.bin")
        runs.append(folder)
    whole = Trainer(VOCABULARY, SHAPE, runs[0], steps=60, rate=5e-3)
    first = whole.held_out(1)[0]
    train(whole, every=20)
    stopped = Trainer(VOCABULARY, SHAPE, runs[1], steps=60, rate=5e-3)
    for _ in range(20):
        stopped.train_step()
    stopped.save()
    resumed = Trainer(VOCABULARY, SHAPE, runs[1], steps=60, rate=5e-3)
    resumed.resume()
    train(resumed, every=20)
    assert whole.held_out(1)[0] < first / 2
    for one, other in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_tuning_learns_what_the_posteriors_have_wrong(tmp_path: Path) -> None:
    torch.manual_seed(0)
    places = 3000
    seen = torch.randint(4, len(VOCABULARY), (places, 2 * FAR + 1))
    right = (seen[:, FAR - 1] > 10).long()  # the symbol before the place decides
    candidates = torch.tensor([[6, 7, UNKNOWN]]).repeat(places, 1)
    posteriors = torch.log(torch.tensor([[0.6, 0.4, 1.0]])).repeat(places, 1)
    posteriors[:, 2] = NEVER
    judge = Judge(TrainedNetwork(len(VOCABULARY), SHAPE)).eval()
    doubts = Doubts(seen, candidates, posteriors, right)
    everywhere = torch.arange(places)
    before = float(judge.loss(doubts, everywhere).mean().detach())
    tune(judge, doubts, tmp_path / "log.jsonl")
    assert judge.loss(doubts, everywhere).mean() < before
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3


def test_the_shipped_network_is_small_and_knows_which_character_fits() -> None:
    assert DATA.stat().st_size < 12_000_000
    network = default_network()
    before, after = network.read("如果发现模型"), network.read("在训练集上过拟合，可以增加数据。")
    (query,) = network.queries(np.array([*before, HIDDEN, *after]), [len(before)])
    candidates = "只叵另可"  # E5 8F AA, B5, A6, AF
    scores = network.scores(query, np.array(network.read(candidates)))
    assert candidates[int(scores.argmax())] == "只"


def test_the_same_text_is_restored_the_same_each_time() -> None:
    text = "山高月小，水落石出。村子里的炊烟与雾搅成一团，廊桥上卖伞的收了摊。"
    damaged = text.encode().decode("cp1254", errors="ignore").replace("\u00ad", "")
    assert restore(damaged) == restore(damaged)
