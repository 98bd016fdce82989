"""The reader's library: lists and what is known of them, the inbox, and the desk that decides what an action changes."""

from typing import TYPE_CHECKING

from studiolo.doors import late

from .entries import Listed, called, find_entries, find_entry, find_list, load_lists, short
from .folder import PAGES, Library, save_new_list
from .reading import Kept, diff_of_kept, load_kept, state_of, tags_of


if TYPE_CHECKING:
    from . import desk
    from .cite_keys import (
        cite_key_of,
        keep_cite_keys,
        load_cite_keys,
        plan_cite_key,
        with_cite_keys,
    )
    from .drafts import Draft, load_drafts, plan_draft, save_draft
    from .edges import READER, Edge, Grade, diff_of_edges, save_edges
    from .export import FORMATS
    from .facts import diff_of_facts, fetch_facts, load_facts
    from .finding import Pool, find, find_in, library_index, open_pool, title_of_page
    from .following import (
        Followed,
        fetch_followed,
        find_target,
        follow,
        load_followed,
        load_rows,
        unfollow,
    )
    from .history import Change, carry_out, load_changes, load_seen, plan_undo, save_seen, undo
    from .inbox import Collected, Inbox
    from .lines import Filter, Line, choices, lines_of, read_filter
    from .log import Logged, load_log
    from .placing import Proposal, sections_of
    from .plan import Page, Plan, joined
    from .pools import followed_lists, pool_rows, pool_stamp, pools_folder, pools_of
    from .references import (
        Reference,
        Sayings,
        in_section,
        references_in_document,
        references_in_inbox,
        references_in_library,
    )
    from .relating import keep_apart, relate
    from .suggesting import (
        Suggested,
        Suggester,
        Wanted,
        suggest_for_empty,
        wanted_by_list,
        wanted_by_section,
        wanted_by_tag,
        wanted_by_words,
        wanted_in,
    )
    from .syncing import Place, forget_place, load_places, place_of_file, save_place
    from .tagging import merge_tags, tag, tag_list
    from .vocabulary import Vocabulary, load_vocabulary, spelling
    from .waiting import Pending, Waiting, load_waiting
    from .works import Works, load_same, load_works

# Asked for a name in this order, when it is first wanted: `show` needs none of them.
_LATE = (
    "vocabulary",
    "desk",
    "waiting",
    "works",
    "edges",
    "plan",
    "history",
    "inbox",
    "facts",
    "placing",
    "tagging",
    "log",
    "syncing",
    "relating",
    "drafts",
    "cite_keys",
    "references",
    "export",
    "finding",
    "pools",
    "following",
    "suggesting",
    "lines",
)


__all__ = [
    "FORMATS",
    "PAGES",
    "READER",
    "Change",
    "Collected",
    "Draft",
    "Edge",
    "Filter",
    "Followed",
    "Grade",
    "Inbox",
    "Kept",
    "Library",
    "Line",
    "Listed",
    "Logged",
    "Page",
    "Pending",
    "Place",
    "Plan",
    "Pool",
    "Proposal",
    "Reference",
    "Sayings",
    "Suggested",
    "Suggester",
    "Vocabulary",
    "Waiting",
    "Wanted",
    "Works",
    "called",
    "carry_out",
    "choices",
    "cite_key_of",
    "desk",
    "diff_of_edges",
    "diff_of_facts",
    "diff_of_kept",
    "fetch_facts",
    "fetch_followed",
    "find",
    "find_entries",
    "find_entry",
    "find_in",
    "find_list",
    "find_target",
    "follow",
    "followed_lists",
    "forget_place",
    "in_section",
    "joined",
    "keep_apart",
    "keep_cite_keys",
    "library_index",
    "lines_of",
    "load_changes",
    "load_cite_keys",
    "load_drafts",
    "load_facts",
    "load_followed",
    "load_kept",
    "load_lists",
    "load_log",
    "load_places",
    "load_rows",
    "load_same",
    "load_seen",
    "load_vocabulary",
    "load_waiting",
    "load_works",
    "merge_tags",
    "open_pool",
    "place_of_file",
    "plan_cite_key",
    "plan_draft",
    "plan_undo",
    "pool_rows",
    "pool_stamp",
    "pools_folder",
    "pools_of",
    "read_filter",
    "references_in_document",
    "references_in_inbox",
    "references_in_library",
    "relate",
    "save_draft",
    "save_edges",
    "save_new_list",
    "save_place",
    "save_seen",
    "sections_of",
    "short",
    "spelling",
    "state_of",
    "suggest_for_empty",
    "tag",
    "tag_list",
    "tags_of",
    "title_of_page",
    "undo",
    "unfollow",
    "wanted_by_list",
    "wanted_by_section",
    "wanted_by_tag",
    "wanted_by_words",
    "wanted_in",
    "with_cite_keys",
]

__getattr__ = late(__name__, _LATE, __all__)
