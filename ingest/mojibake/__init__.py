"""Text that was read in the wrong encoding, put right again: `restore(text) -> Restored`."""

from ingest.mojibake.repair import Restored, restore
from ingest.mojibake.steps import Step, origin, replay

__all__ = ["Restored", "Step", "origin", "replay", "restore"]
