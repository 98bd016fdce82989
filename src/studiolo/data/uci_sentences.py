"""Sentences from reviews, with praise and blame told apart.

Source: https://archive.ics.uci.edu/dataset/331/sentiment+labelled+sentences
"""

from __future__ import annotations

from .files import load_content


SHA256 = {
    "amazon_cells_labelled.txt": "47003fc0a0d4840b00e96e715b6189bad09e7443a3da41c4cbe12ffc79f86ae3",
    "imdb_labelled.txt": "aef2e49e3da25714d61175e3a6e68eeef74a20a2f914318dc3be9947ea86512d",
    "yelp_labelled.txt": "c76468b7b5c6e56a0804d728345c5f84aa2142ddb214420f61cc9cfd4c00d2ea",
}


def sentences() -> list[tuple[str, int]]:
    """Return 3,000 sentences from Amazon, IMDb and Yelp reviews with 1 for praise and 0 for blame.

    Raises:
        NeedsData: the set is not here.
    """
    labelled = []
    for file, sha256 in sorted(SHA256.items()):
        content = load_content(f"uci_sentiment_sentences/{file}", sha256).decode()
        for line in content.rstrip("\n").split("\n"):
            sentence, _, label = line.rpartition("\t")
            labelled.append((sentence.strip(), int(label)))
    return labelled
