"""How far a command is, for whoever watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(what: str = "", *, wanted: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """Takes a document's name, how many are done and how many there are: a bar on stderr if that is a terminal.

    Until it is told of any, it shows that something goes on: `what`.
    """
    if not (wanted and sys.stderr.isatty()):
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False)
    with bar:
        task = bar.add_task(what, total=None)
        yield lambda name, done, total: bar.update(task, description=escape(name), completed=done, total=total)
