"""One error tree. Every message names the file, setting or field at fault and says what to do about it."""

__all__ = [
    "BusyError",
    "ChatServerError",
    "ConfigError",
    "DuplicateError",
    "GuideError",
    "InputError",
    "ModelError",
    "NotFoundError",
    "StoreError",
    "TooLargeError",
    "UnreachableError",
    "WorkerError",
    "first_line",
]


class GuideError(Exception):
    """Any failure that the user can act on; its text is the one line that every way in shows."""


class InputError(GuideError):
    """A file, a question or a field that can't be used as it is."""


class TooLargeError(InputError):
    """A document or a request with more bytes than are taken."""


class DuplicateError(InputError):
    """A document whose content is there already, as the document with the id `document_id`."""

    def __init__(self, message: str, document_id: str) -> None:
        super().__init__(message, document_id)
        self.document_id = document_id

    def __str__(self) -> str:
        return str(self.args[0])


class NotFoundError(GuideError):
    """A named document, model or adapter that isn't there."""


class ConfigError(GuideError):
    """A setting that can't be used, or settings that don't fit together."""


class ModelError(GuideError):
    """A model, adapter or tokenizer that can't be loaded or doesn't fit."""


class ChatServerError(ModelError):
    """The server that runs the chat model is down, refuses the key or has no such model."""


class StoreError(GuideError):
    """The knowledge base can't be opened, read or written."""


class UnreachableError(StoreError):
    """The Chroma server doesn't answer, or what answers is none; nothing can be mended from here."""


class BusyError(GuideError):
    """Too much is waiting already; asking again later is right."""


class WorkerError(GuideError):
    """A process that shared the work ended before the work did."""


def first_line(problem: BaseException) -> str:
    """What a library's error says, as far as one line of ours has room for it; its kind if it says nothing."""
    return (str(problem) or type(problem).__name__).splitlines()[0]
