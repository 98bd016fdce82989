"""A library that tends itself: contents, pages of tags and topics, advice on tags, a feed of what happened."""

from .catalogue import Catalogue, PageFacts, load_catalogue
from .contents import Tending, plan_contents
from .feed import Event, keep_first_sights, load_events, to_atom
from .tag_advice import suggest_tags
from .topic_pages import Topic, load_topic_pages, missing_topics, open_topic


__all__ = [
    "Catalogue",
    "Event",
    "PageFacts",
    "Tending",
    "Topic",
    "keep_first_sights",
    "load_catalogue",
    "load_events",
    "load_topic_pages",
    "missing_topics",
    "open_topic",
    "plan_contents",
    "suggest_tags",
    "to_atom",
]
