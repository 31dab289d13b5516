"""Files and folders that are written for the user: whole or not at all."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kb.errors import InputError

__all__ = ["write_file", "written_whole"]


def write_file(path: Path, data: bytes) -> None:
    """Writes a file, and the folders that it needs; a device, a pipe or a link (`/dev/stdout`) gets the bytes as it is.

    Raises:
        InputError: it can't be written there.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        with _told(path):
            path.write_bytes(data)
        return
    with written_whole(path) as draft:
        draft.write_bytes(data)


@contextmanager
def written_whole(place: Path) -> Iterator[Path]:
    """A path beside `place` for the block to write a file or a folder to, which is moved there at the block's end.

    If the block fails, `place` is as it was and nothing else is left. Files of a folder take the place of those with
    their names; its others stay. The block should only write and read back, for all that the system refuses it is told
    as a place that can't be written.

    Raises:
        InputError: it can't be written there.
    """
    draft = place.parent / f".guide-{uuid.uuid4().hex}"
    with _told(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield draft
            _move(draft, place)
        finally:
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink(missing_ok=True)


def _move(draft: Path, place: Path) -> None:
    if draft.is_dir():
        place.mkdir(exist_ok=True)
        for file in draft.iterdir():
            file.replace(place / file.name)
        return
    if place.is_file():
        shutil.copymode(place, draft)
    draft.replace(place)


@contextmanager
def _told(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise InputError(f"{place}: can't be written ({problem.strerror or problem}). Give another place.") from problem
