"""The example that restores a corpus with Ray Data: its function, and the whole of it on two cores."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from examples.restore_with_ray import main, restore_batch
from kb.settings import ROOT

WHOLE = "前后两名用户不在家中。"
HURT = WHOLE.encode().decode("cp1254", errors="ignore")  # 前, 后, 名 and 不 have lost a byte


def test_a_batch_is_restored_and_tells_what_was_done() -> None:
    batch = {"id": np.array([1, 2, 3, 4]), "body": np.array([HURT, "clean", "没\ufffd了", None], object)}
    done = restore_batch(batch, column="body", threshold=0)
    assert {name: column.tolist() for name, column in done.items()} == {
        "id": [1, 2, 3, 4],
        "body": [WHOLE, "clean", "没\ufffd了", ""],
        "damage": ["cp1252_dropped", "", "", ""],
        "inferred": [4, 0, 0, 0],
        "doubtful": [0, 0, 0, 0],
        "lost": [0, 0, 1, 0],
    }
    assert restore_batch(batch, column="body", threshold=1.1)["doubtful"].tolist() == [4, 0, 0, 0]


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit, match=r"pip install 'guide\[ray\]'"):
        main([str(tmp_path), str(tmp_path / "out")])


def run_example(corpus: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it as a user would, with Ray's files out of the way of the user's own."""
    script = ROOT / "examples" / "restore_with_ray.py"
    with tempfile.TemporaryDirectory() as home:
        return subprocess.run(
            [sys.executable, str(script), str(corpus), str(out), "--cpus", "2", *arguments],
            check=False,
            capture_output=True,
            encoding="utf-8",
            env=os.environ | {"HOME": home, "RAY_TMPDIR": home, "RAY_USAGE_STATS_ENABLED": "0"},
        )


def test_a_corpus_is_restored_on_two_cores(tmp_path: Path) -> None:
    corpus, out = tmp_path / "corpus.jsonl", tmp_path / "out"
    rows = [{"id": n, "text": HURT if n % 2 else "clean"} for n in range(20)]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = run_example(corpus, out)
    assert done.returncode == 0, done.stderr
    written = [json.loads(line) for file in out.iterdir() for line in file.read_text(encoding="utf-8").splitlines()]
    written.sort(key=lambda row: row["id"])
    assert [row["text"] for row in written] == [WHOLE if n % 2 else "clean" for n in range(20)]
    assert [row["inferred"] for row in written] == [4 if n % 2 else 0 for n in range(20)]
    again = run_example(corpus, out)
    assert again.returncode == 1
    assert again.stderr == f"{out}: not empty, and the results of two runs would be mixed. Give a new folder.\n"
