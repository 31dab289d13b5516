"""A comparison as one HTML page that needs nothing beside it: answers side by side, and what the adapter changed."""

from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from api.schemas import CompareReply
from kb.files import write_file
from kb.language import language_of

TEMPLATE = "report.html.jinja"


def write_report(reply: CompareReply, file: Path) -> None:
    """Writes the page; what documents and models say is escaped in it.

    Raises:
        InputError: the file can't be written.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("api").joinpath(TEMPLATE).read_text(encoding="utf-8"))
    page = template.render(reply=reply, language=language_of(reply.question), probing=getattr(reply, "probing", None))
    write_file(file, page.encode())
