"""Files that commands write for the user."""

import os
import tempfile
from pathlib import Path

from kb.errors import InputError


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and the folders that it needs; a device or a pipe gets the bytes as it is.

    Raises:
        InputError: it can't be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".guide-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(unfinished).chmod(0o644)
            Path(unfinished).replace(path)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise InputError(f"{path}: can't be written ({problem.strerror or problem}). Give another place.") from problem
