"""FNet's claims on real text, many seeds at a time: `python bench/fnet_text.py --jobs 16`.

The same as `studiolo run LIST --only fnet --jobs 16`, without its other claims and without a list. CPU time is that
of each process, and the arms of a seed train in turns in one process, so seeds may run side by side. Needs the
folders `enwiki_sample`, `wikitext2_valid_test` and `uci_sentiment_sentences` in STUDIOLO_DATA, 1.6 MB. The longest
seed takes about two minutes. The records go into the paper folder.
"""

import argparse
import tempfile
from pathlib import Path

from studiolo import runs


def main() -> None:
    """Run the claims, print the verdicts, keep the records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--library", type=Path, default=Path(tempfile.gettempdir()) / "fnet-text")
    arguments = parser.parse_args()
    library: Path = arguments.library
    (library / ".studiolo").mkdir(parents=True, exist_ok=True)
    papers = [paper for paper in runs.discover(library) if paper.slug == "fnet"]

    def tell(event: runs.Event) -> None:
        if isinstance(event, runs.SeedFinished):
            one = event.record
            print(
                f"{one.run} {one.config} {one.index}: {one.status} {one.why} {one.wall_s:.1f} s",
                flush=True,
            )

    for evidence in runs.run(
        papers, library, jobs=arguments.jobs, needs=("data:enwiki_sample",), retry=True, tell=tell
    ):
        verdicts = evidence.verdicts()
        for claim in evidence.paper.claims:
            if "data:enwiki_sample" in claim.needs:
                print(f"{claim.id}: {verdicts[claim.id]} {verdicts[claim.id].interval or ''}")
        print(runs.save_reference(evidence.paper, library))


if __name__ == "__main__":
    main()
