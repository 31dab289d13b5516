"""The file of a form that a client uploads, and what it is called."""

import os
import re
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile

from kb.errors import InputError

__all__ = ["check_alone", "file_name"]

SECOND_NAME = re.compile(rb";\s*filename\*=utf-8''([^;\s]+)", re.IGNORECASE)


def check_alone(form: FormData) -> None:
    """Raises InputError if the form has several files, for the reply would tell of one."""
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if len(files) > 1:
        raise InputError(f"file: {len(files)} files came in one form. Send each in a request of its own.")


def file_name(file: UploadFile) -> str:
    """The last part of the name that was sent, in the bytes that were sent: a browser may have named it in GBK.

    .NET sends a second name that any server can read, `filename*`; aiohttp encodes the only one in the same way.
    """
    disposition = dict(file.headers.raw).get(b"content-disposition", b"")
    if second := SECOND_NAME.search(disposition):
        sent = unquote_to_bytes(second[1])
    else:
        sent = _unquoted(parse_options_header(disposition)[1].get(b"filename", b""))
    return os.fsdecode(sent).replace("\\", "/").rsplit("/", 1)[-1]


def _unquoted(name: bytes) -> bytes:
    """The name without its %E4%BD…, where these are more than ASCII; "100%25.md" may well be called so."""
    plain = unquote_to_bytes(name)
    try:
        return plain if name.isascii() and not plain.decode().isascii() else name
    except UnicodeDecodeError:
        return name
