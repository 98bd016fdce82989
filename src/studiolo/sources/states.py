"""What reading services call the state of a saved thing."""

from __future__ import annotations

from studiolo.lists import State


_WORDS: dict[State, str] = {
    "to read": "unread|to read|toread|new|later|shortlist|inbox|active|succeeded|saved|queue|reading list|todo|to-read|my list|home|next|later_|want-to-read",
    "reading": "reading|in progress|started|doing|now|currently-reading",
    "read": "read|archive|archived|read archive|done|finished|completed|completed reading",
}
_STATES = {word: state for state, words in _WORDS.items() for word in words.split("|")}


def state_of(word: str) -> State | None:
    """Return the reading state that a service's word for it means, or None for any other word.

    >>> state_of("Archived"), state_of("Unread"), state_of("Recipes")
    ('read', 'to read', None)
    """
    return _STATES.get(" ".join(word.split()).casefold())


def state_of_progress(share: float | None, archived: bool) -> State:
    """Return the state of what is read as far as `share` (0 to 1) and was put away or not."""
    if archived or (share or 0.0) >= 0.98:
        return "read"
    return "reading" if share and share >= 0.05 else "to read"
