"""Where the command `guide` begins, before anything else is imported: Ctrl-C never shows a traceback."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit, as `api.cli.main` does."""
    try:
        from api.cli import main as run_and_exit

        run_and_exit()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
