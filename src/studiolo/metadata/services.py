"""Where the services are. `STUDIOLO_API_ARXIV` and so on point at a mirror, or at a server that a test runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Services:
    """Addresses of the services, without a trailing slash."""

    arxiv: str = "https://export.arxiv.org/api/query"
    arxiv_oai: str = "https://oaipmh.arxiv.org/oai"
    semantic_scholar: str = "https://api.semanticscholar.org/graph/v1"
    openalex: str = "https://api.openalex.org"
    crossref: str = "https://api.crossref.org"
    datacite: str = "https://api.datacite.org"
    github: str = "https://api.github.com"
    github_raw: str = "https://raw.githubusercontent.com"

    @classmethod
    def from_environment(cls) -> Services:
        """Return the addresses, each replaced by `STUDIOLO_API_<NAME>` where that is set."""
        named = {
            field.name: os.environ.get(f"STUDIOLO_API_{field.name.upper()}", "")
            for field in fields(cls)
        }
        return cls(**{name: address.rstrip("/") for name, address in named.items() if address})
