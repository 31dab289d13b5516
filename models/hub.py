"""Models by the names that settings give them: a folder, or an id of the Hugging Face hub."""

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

from kb.errors import ModelError, first_line

__all__ = ["find_model", "given_folder", "model_name"]


def find_model(
    name: str,
    setting: str,
    *,
    allow: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
    revision: str | None = None,
) -> Path:
    """The folder of a model given by folder, by hub id, or by hub id and revision as in `owner/model@v1.0`.

    A hub id is looked for in the hub's cache first, and fetched into it if it isn't there whole: what was fetched once
    stays as it is. Only files whose paths fit a pattern of `allow`, and none of `ignore`, are fetched.

    Raises:
        ModelError: no such folder, and the hub doesn't have it, doesn't give it, can't be reached or must not be asked.
    """
    if folder := given_folder(name):
        return folder
    if Path(name).is_absolute() or name.startswith(("~", ".")):
        raise ModelError(f"{setting} = {name}: no such folder. Give a model's folder or a hub id.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    identity, _, pinned = name.partition("@")

    def snapshot(*, cached: bool) -> Path:
        return Path(
            snapshot_download(
                identity,
                revision=pinned or revision,
                allow_patterns=None if allow is None else [*allow],
                ignore_patterns=None if ignore is None else [*ignore],
                local_files_only=cached,
            )
        )

    try:
        try:
            return snapshot(cached=True)
        except LocalEntryNotFoundError:
            return snapshot(cached=False)
    except Exception as problem:  # the hub's client lets those of its HTTP client through
        raise ModelError(f"{setting} = {name}: {_reason(problem, identity, pinned or revision, setting)}") from problem


def given_folder(name: str) -> Path | None:
    """The folder of this path; None if it is none, or no path at all."""
    try:
        folder = Path(name).expanduser()
        return folder if name and folder.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # too long, not to be written so, or the home of nobody
        return None


def model_name(folder: Path) -> str:
    """What a model is called: its hub id if it lies in the hub's cache, else its folder's name."""
    # there it lies in models--OWNER--NAME/snapshots/REVISION
    cached = next((part for part in folder.parts if part.startswith("models--")), None)
    return cached.removeprefix("models--").replace("--", "/") if cached else folder.name


def _reason(problem: Exception, identity: str, revision: str | None, setting: str) -> str:
    """Why there is no such model, and what to do."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(problem, HFValidationError):
        return "neither a folder nor a hub id like owner/model."
    if isinstance(problem, GatedRepoError):
        return (
            "the hub gives it only to those whom its owner lets in. "
            f"Ask for it at https://huggingface.co/{identity}, then run `hf auth login` or set HF_TOKEN."
        )
    refused = getattr(getattr(problem, "response", None), "status_code", None) == HTTPStatus.UNAUTHORIZED
    if refused or isinstance(problem, RepositoryNotFoundError):
        return (
            "the hub has no such model, or doesn't show it to you. Check the name; for a private one run "
            "`hf auth login` or set HF_TOKEN."
        )
    if isinstance(problem, RevisionNotFoundError):
        return f"the hub has no revision {revision or 'main'} of it. Name a branch, a tag or a commit that is there."
    why = "" if isinstance(problem, LocalEntryNotFoundError) else f" ({first_line(problem)})"
    return (
        f"not in the hub's cache and not to be had from the hub now{why}. Check the name and the connection, or fetch "
        f"it elsewhere with `hf download {identity}` and set {setting} to its folder."
    )
