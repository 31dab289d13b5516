"""Paths, as somebody gives them, into the files that are meant and the names that their documents get."""

import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TEXTS = (".md", ".markdown", ".txt", ".rst", ".html", ".htm", ".csv", ".tsv")
DOCUMENTS = (*TEXTS, ".docx", ".xlsx", ".pptx", ".epub", ".pdf")
LEFT_OUT = (".", "~$")  # hidden, and what Office has beside a document while it is open
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Found:
    """A file to take in, or what kept one from being found: then `error` is a sentence for the user.

    `name` is the path below `root`, the folder that was given or that the file lies in, with `/` on every system.
    """

    path: Path
    root: Path
    name: str
    error: str | None = None


def find_files(paths: Sequence[Path], suffixes: Sequence[str] = DOCUMENTS) -> list[Found]:
    """The files that `paths` mean, each once: files as they are, folders with all below them that end on `suffixes`.

    What is hidden, and what Office puts beside open documents, is left out of folders. Two files that would get one
    name are an error for the second.
    """
    found: dict[Path, Found] = {}
    for path in paths:
        for item in _below(path, suffixes) if _is_folder(path) else _given(path):
            found.setdefault(_real(item.path), item)
    return list(_one_name_each(found.values()))


def other_kinds(paths: Sequence[Path]) -> Counter[str]:
    """How many files below these folders are not taken for documents, by what their names end on."""
    files = (file for path in paths if _is_folder(path) for file in _visible(path))
    return Counter(file.suffix.lower() or file.name for file in files if file.suffix.lower() not in DOCUMENTS)


def no_files(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """What is named like a document below these folders and is no file, and what it is."""
    for path in filter(_is_folder, paths):
        for file in _visible(path):
            if file.suffix.lower() in DOCUMENTS and (what := _no_file(file)):
                yield file, what


def readable_name(name: str) -> str:
    """A file name as text: composed characters, and names that were written in GBK read as that."""
    data = os.fsencode(name)
    for encoding in ("utf-8", "gb18030"):
        try:
            return unicodedata.normalize("NFC", data.decode(encoding))
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", errors="replace")


def _shown_name(path: Path) -> str:
    """The name of a document, on one line: what would break lines or steer a terminal there can't be typed either."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", readable_name(path.as_posix()))


def _mode(path: Path) -> int:
    """What there is by a name; 0 for nothing, or where nobody may look, which is told when it is read."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(_mode(path))


def _given(path: Path) -> Iterator[Found]:
    """A file that was named itself; what can't be read is found out when it is read."""
    mode = _mode(path)
    error = f"{path}: not a regular file. Give a file or a folder." if mode and not stat.S_ISREG(mode) else None
    yield Found(path, path.parent, _shown_name(Path(path.name)), error)


def _below(folder: Path, suffixes: Sequence[str]) -> Iterator[Found]:
    """The documents below a folder, in order, and the folders there that can't be read."""
    closed: list[OSError] = []
    files = [file for file in _visible(folder, closed.append) if file.suffix.lower() in suffixes and not _no_file(file)]
    for problem in closed:
        error = f"{problem.filename}: the folder can't be read ({problem.strerror}). Check its permissions."
        closed_folder = Path(problem.filename)
        yield Found(closed_folder, folder, _shown_name(closed_folder), error)
    for file in files:
        yield Found(file, folder, _shown_name(file.relative_to(folder)))
    if not files and not closed:
        kinds = " ".join(suffixes)
        yield Found(folder, folder, _shown_name(folder), f"{folder}: no documents ({kinds}) in this folder.")


def _visible(folder: Path, closed: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """All below a folder that is not hidden and no folder, in order; `closed` is told of folders that can't be read."""
    for parent, folders, names in os.walk(folder, onerror=closed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith(LEFT_OUT))


def _no_file(path: Path) -> str | None:
    """What something is that is no file; nothing for what may not be looked at, for reading it tells why."""
    try:
        return None if stat.S_ISREG(path.stat().st_mode) else "a pipe or device"
    except PermissionError:
        return None
    except OSError:
        return "a broken link"


def _one_name_each(found: Iterable[Found]) -> Iterator[Found]:
    taken: dict[str, Path] = {}
    for item in found:
        other = taken.setdefault(item.name, item.path)
        if item.error is None and other != item.path:
            error = (
                f"{item.path}: {other} has the same name; give the folder above both, so that names tell them apart."
            )
            yield Found(item.path, item.root, item.name, error)
        else:
            yield item


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path
