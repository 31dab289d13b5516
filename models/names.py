"""The names that adapters go by."""

import re
from pathlib import Path

from kb.errors import ConfigError
from models.hub import given_folder


def parse_adapters(setting: str) -> dict[str, str]:
    """Adapters by name, in order, from `PLACE`, `NAME=PLACE` or several of these with commas between; "none" is none.

    A place without a name is called after its last part. A folder whose path holds a comma or `=` counts as one place.

    Raises:
        ConfigError: two adapters of one name, or a name or place left out.
    """
    if setting.strip() in ("", "none"):
        return {}
    if given_folder(setting):
        return {safe_name(Path(setting).name): setting}
    adapters: dict[str, str] = {}
    for entry in setting.split(","):
        given, equals, place = entry.strip().rpartition("=")
        if not place or (equals and not given):
            raise ConfigError(
                f"GUIDE_ADAPTER = {setting}: {entry.strip() or 'an entry'} names no adapter. "
                "Write a folder, or name=folder with commas between several."
            )
        name = safe_name(given or Path(place).name)
        if name in adapters or name == "none":
            raise ConfigError(
                f"GUIDE_ADAPTER = {setting}: two adapters would be called {name}. Write name=folder for each."
                if name in adapters
                else f"GUIDE_ADAPTER = {setting}: an adapter can't be called none, which means the base."
            )
        adapters[name] = place
    return adapters


def safe_name(name: str) -> str:
    """An adapter's name as peft can use it: no dots, never empty, none of peft's own."""
    return re.sub(r"[^\w-]+", "_", name).strip("_") or "adapter"
