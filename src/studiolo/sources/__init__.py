"""One module per place where people save things: bytes in, saved things out, nothing decided."""

from .saved import Link, Reading, Saved, SavedFolder, SavedItem, Skipped


__all__ = ["Link", "Reading", "Saved", "SavedFolder", "SavedItem", "Skipped"]
