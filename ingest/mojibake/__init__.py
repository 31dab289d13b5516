"""Text that was read in the wrong encoding, put right again: `restore(text) -> Restored`."""

from ingest.mojibake.repair import Restored, Step, replay, restore

__all__ = ["Restored", "Step", "replay", "restore"]
