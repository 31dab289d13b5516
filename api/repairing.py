"""Documents in, restored documents out: which are meant, where each goes, and what became of it."""

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from api.changes import ChangedLine, changed_lines
from api.progress import progress_bar
from api.schemas_repairs import RepairedOut
from ingest.batch import RestoredFile, restore_document, restore_files
from ingest.files import TEXTS, Found, find_files
from ingest.read import read_stream
from kb.errors import GuideError, InputError, WorkerError
from kb.files import write_file
from kb.settings import Settings

STANDARD_INPUT = Path("-")


@dataclass(frozen=True)
class Target:
    """A document to repair and the file to write it to, None for standard output."""

    found: Found
    out: Path | None


@dataclass(frozen=True)
class Wanted:
    """What of each document will be shown: its text as it is done, its changed lines, every repair.

    What isn't wanted isn't kept: the repairs of a gigabyte of damaged text would take many more.
    """

    text: bool
    changes: bool
    repairs: bool


@dataclass(frozen=True)
class Repaired:
    """What became of one document, as far as it is wanted."""

    name: str
    reply: RepairedOut
    changes: tuple[ChangedLine, ...]


@dataclass(frozen=True)
class Outcomes:
    """What became of all documents that were repaired, and what was wrong with the others, both in the given order."""

    repaired: tuple[Repaired, ...]
    problems: tuple[GuideError, ...]


def find_targets(paths: Sequence[Path], out: Path | None, report: Path | None) -> list[Target]:
    """The documents that `paths` mean, each with its place in `out`.

    Raises:
        InputError: a document or a file just written would be written over.
    """
    if list(paths) == [STANDARD_INPUT]:
        return [Target(Found(STANDARD_INPUT, Path(), "standard input"), out)]
    found = find_files(paths, TEXTS)
    as_named = out is None or (len(paths) == 1 and not paths[0].is_dir() and not out.is_dir())
    places = [out if as_named or out is None else out / item.path.relative_to(item.root) for item in found]
    taken = {os.path.realpath(item.path) for item in found}
    for file, option in [*((place, "--out") for place in places), (report, "--report")]:
        if file is not None and os.path.realpath(file) in taken:
            raise InputError(f"{file}: would be written over a document. Give another place to {option}.")
        taken |= {os.path.realpath(file)} if file else set()
    return list(map(Target, found, places))


def repair_targets(targets: Sequence[Target], settings: Settings, jobs: int, wanted: Wanted) -> Outcomes:
    """Restores each document and writes it as soon as it is done; what can't be read or written is left out."""
    outcomes: dict[int, Repaired | GuideError] = {}
    documents = _restored(targets, settings, jobs)
    with closing(documents), progress_bar(wanted=len(targets) > 1) as progress:
        try:
            for place, document in documents:
                target = targets[place]
                outcomes[place] = _finish(target, document, wanted, settings.repair_threshold)
                progress(target.found.name, len(outcomes), len(targets))
        except WorkerError as problem:
            outcomes[len(targets)] = problem
    in_order = [outcomes[place] for place in sorted(outcomes)]
    return Outcomes(
        tuple(outcome for outcome in in_order if isinstance(outcome, Repaired)),
        tuple(outcome for outcome in in_order if isinstance(outcome, GuideError)),
    )


def _restored(
    targets: Sequence[Target], settings: Settings, jobs: int
) -> Generator[tuple[int, RestoredFile | InputError], None, None]:
    found = [target.found for target in targets]
    if found[0].path == STANDARD_INPUT:
        yield 0, restore_document(read_stream(found[0].name, sys.stdin.buffer, settings))
    else:
        yield from restore_files(found, settings, jobs)


def _finish(
    target: Target, document: RestoredFile | InputError, wanted: Wanted, threshold: float
) -> Repaired | InputError:
    """Writes a restored document where it belongs."""
    if isinstance(document, InputError):
        return document
    restored = document.restored
    try:
        if target.out is not None:
            write_file(target.out, restored.text.encode())
    except InputError as problem:
        return problem
    if wanted.text:
        sys.stdout.write(restored.text)
    reply = RepairedOut.of(str(target.found.path), document.decoded, restored, threshold)
    if not wanted.repairs:
        reply = reply.model_copy(update={"repairs": ()})
    changes = tuple(changed_lines(document.decoded.text, restored)) if wanted.changes else ()
    return Repaired(target.found.name, reply, changes)
