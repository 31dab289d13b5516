"""`guide repair`: mojibake restored, without touching the knowledge base."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.files import write_file
from api.options import BadUse, complain, with_settings
from kb.errors import InputError

if TYPE_CHECKING:
    from api.schemas_repairs import RepairedOut
    from ingest.files import Found
    from kb.settings import Settings


@with_settings("repair_threshold")
def repair(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of .md, .markdown, .txt and .rst files.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Where to write: a file for a file, a folder for a folder, same names."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write every repair, with its confidence, as JSON here.")] = None,
    settings: "Settings",
) -> None:
    """Restore what mojibake destroyed; a single file is printed unless --out is given."""
    if out is None and (len(paths) > 1 or paths[0].is_dir()):
        raise BadUse("Several files or a folder need a folder to go to: give --out.")
    repaired: list[RepairedOut] = []
    targets = _targets(paths, out)
    for found, target in targets:
        try:
            repaired.append(_repair_file(found, target, settings))
        except InputError as problem:
            complain(str(problem))
    if report is not None:
        from api.schemas_repairs import RepairReport

        failed = len(targets) - len(repaired)
        reply = RepairReport.of(repaired, failed=failed, threshold=settings.repair_threshold)
        write_file(report, reply.model_dump_json(indent=2).encode() + b"\n")
    if len(repaired) < len(targets):
        raise typer.Exit(1)


def _targets(paths: Sequence[Path], out: Path | None) -> list[tuple["Found", Path | None]]:
    """Each file to repair with the file to write, None for standard output.

    Raises:
        InputError: a file would be written twice or over its source.
    """
    from ingest.files import find_files

    to_file = out is not None and len(paths) == 1 and not paths[0].is_dir() and not out.is_dir()
    pairs: list[tuple[Found, Path | None]] = []
    written: set[Path] = set()
    for found in find_files(paths):
        target = out if out is None or to_file else out / found.path.relative_to(found.root)
        if target is not None and (target in written or target.resolve() == found.path.resolve()):
            raise InputError(f"{target}: would be written over a document. Give another place to --out.")
        written |= {target} if target else set()
        pairs.append((found, target))
    return pairs


def _repair_file(found: "Found", target: Path | None, settings: "Settings") -> "RepairedOut":
    from api.schemas_repairs import RepairedOut
    from ingest.mojibake import restore
    from ingest.read import decode, read_file

    if found.error is not None:
        raise InputError(found.error)
    decoded = decode(read_file(found.path, settings))
    restored = restore(decoded.text)
    if target is None:
        sys.stdout.write(restored.text)
    else:
        write_file(target, restored.text.encode())
    return RepairedOut.of(str(found.path), decoded, restored, settings.repair_threshold)
