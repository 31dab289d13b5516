"""What is wrong with a request, field by field, in words for whoever sent it."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["FORM", "ONE", "SEVERAL", "fields_at_fault", "no_json", "told_of"]

FORM = "Send a form with the file in its field `file`, as `curl -F file=@…` does."
NOT_JSON = "Send one JSON object with `Content-Type: application/json`, as `curl --json` does."
WHITE = "Input should hold more than white space"
MOST_TOLD = 5  # in the sentence; the list has all

# The members of a union of a value and a list of such: pydantic names them in the places of errors, between the fields.
ONE, SEVERAL = "(one)", "(several)"

Faults = Sequence[Mapping[str, Any]]


def no_json(faults: Faults) -> str | None:
    """What keeps a body from being JSON; None if it is."""
    for fault in faults:
        if fault["type"] == "json_invalid":
            reason, place = fault["ctx"]["error"], fault["loc"][-1]
            return f"The body is not JSON: {reason} at character {place}. Send one JSON object in UTF-8."
    return None


def fields_at_fault(faults: Faults, media_type: str) -> list[dict[str, str]]:
    """Each field at fault, and what is wrong with it; of a body that came as `media_type`."""
    fields = [{"field": _place(fault), "detail": _reason(fault)} for fault in faults]
    if all(field["field"] != "body" for field in fields):
        return fields
    came = "" if "json" in media_type else f" It came as {media_type or 'nothing that is named'}."
    return [{"field": "body", "detail": NOT_JSON + came}]


def told_of(fields: Sequence[Mapping[str, str]]) -> str:
    """The fields at fault in a sentence."""
    told = "; ".join(f"{field['field']}: {field['detail']}" for field in fields[:MOST_TOLD])
    more = len(fields) - MOST_TOLD
    return f"{told}; and {more} more" if more > 0 else told


def _place(fault: Mapping[str, Any]) -> str:
    return ".".join(str(part) for part in fault["loc"] if part not in {ONE, SEVERAL})


def _reason(fault: Mapping[str, Any]) -> str:
    if tuple(fault["loc"]) == ("body", "file"):
        return FORM
    return WHITE if fault["type"] == "string_pattern_mismatch" else str(fault["msg"])
