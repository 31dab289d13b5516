"""A knowledge base that follows its files: what is new, changed, renamed or deleted, as it happens."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ingest.files import DOCUMENTS, Found, find_files
from ingest.pipeline import Ingested, Pipeline
from kb.errors import GuideError, InputError

__all__ = ["Round", "follow"]

# Changes are taken together until nothing has changed for QUIET, at most for TOGETHER (milliseconds).
TOGETHER, QUIET, TICK = 1600, 200, 500
RETRY_SECONDS = 5


@dataclass(frozen=True)
class Round:
    """What became of the files after some changes; `error` is set if the round could not be finished.

    Files that nothing became of are told in the first round only.
    """

    outcomes: tuple[Ingested, ...]
    error: str | None = None


def follow(
    pipeline: Pipeline, paths: Sequence[Path], home: Path, progress: Callable[[str, int, int], None]
) -> Iterator[Round]:
    """Takes in all files of `paths`, then what changes there, for ever; what happens in `home` is no change.

    A document goes when its file goes that was there before; a folder of `paths` that goes as a whole takes none
    along, for it may only be out of reach. A round that can't be finished is tried again.

    Raises:
        InputError: a path is not there, or can't be watched.
    """
    follower = _Follower(pipeline, paths)
    with closing(_changes(paths, home)) as changes:
        next(changes)  # what changes from here on is seen, also while the first round goes on
        yield follower.round(progress)
        for changed in changes:
            if changed or follower.is_due():
                yield follower.round()


class _Follower:
    """Remembers which files were there, and what was told of those that failed."""

    def __init__(self, pipeline: Pipeline, paths: Sequence[Path]) -> None:
        self._pipeline, self._paths = pipeline, paths
        self._there: dict[str, Found] = {}
        self._told: dict[tuple[str, str | None], float | None] = {}
        self._first = True
        self._again_at: float | None = None

    def is_due(self) -> bool:
        """Whether it is time to try again what failed."""
        return self._again_at is not None and time.monotonic() >= self._again_at

    def round(self, progress: Callable[[str, int, int], None] | None = None) -> Round:
        outcomes: list[Ingested] = []
        try:
            gone = {name: file.path for name, file in self._there.items() if _is_gone(file)}
            found = [file for file in find_files(self._paths) if file.path not in gone.values()]
            for file, outcome in zip(found, self._pipeline.ingest_files(found, progress), strict=True):
                if self._is_news(file, outcome):
                    outcomes.append(outcome)
            names = {file.name for file in found}
            removed = (self._pipeline.remove(name) for name in gone if name not in names)
            outcomes.extend(outcome for outcome in removed if outcome)
        except GuideError as problem:
            self._again_at = time.monotonic() + RETRY_SECONDS
            return Round(tuple(outcomes), str(problem))
        kept = {name: file for name, file in self._there.items() if name not in gone}
        self._there = kept | {file.name: file for file in found if file.error is None}
        self._first, self._again_at = False, None
        return Round(tuple(outcomes))

    def _is_news(self, file: Found, outcome: Ingested) -> bool:
        if outcome.status != "failed":
            return self._first or outcome.status != "unchanged"
        told = (outcome.name, outcome.error)
        written = _written(file.path)
        news = told not in self._told or self._told[told] != written
        self._told[told] = written
        return news


def _changes(paths: Sequence[Path], home: Path) -> Generator[bool]:
    """Begins to watch, and yields at once; then yields whether something has changed, again and again."""
    from watchfiles import watch

    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder to watch.")
    given = {path.resolve() for path in paths}
    kept_out = home.resolve()

    def matters(_: object, name: str) -> bool:
        path = Path(name)
        foreign = path.suffix.lower() not in DOCUMENTS and path.is_file() and path not in given
        return not foreign and not path.is_relative_to(kept_out)

    # A file is often saved by putting another in its place: its folder notices that.
    folders = {path if path.is_dir() else path.parent for path in given}
    try:
        for changes in watch(
            *folders,
            watch_filter=matters,
            debounce=TOGETHER,
            step=QUIET,
            rust_timeout=TICK,
            yield_on_timeout=True,
            recursive=any(path.is_dir() for path in given),
        ):
            yield bool(changes)
    except (OSError, RuntimeError) as problem:
        raise InputError(f"{', '.join(map(str, paths))}: can't be watched ({problem}).") from problem


def _is_gone(file: Found) -> bool:
    """Whether the file is not there, although the folder that was given is."""
    try:
        file.root.stat()
    except OSError:
        return False
    try:
        file.path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _written(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
