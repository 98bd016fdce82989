"""Types of BibTeX, CSL and RIS: by what a bibliography said, by the venue, by the key."""

import pytest

from studiolo.keys import find_key
from studiolo.library import Reference
from studiolo.library.kinds import BIBTEX, CSL, RIS, kind_of


@pytest.mark.parametrize(
    ("key", "venue", "said", "kind"),
    [
        ("2105.03824", "", "", "preprint"),
        ("2105.03824", "arXiv.org", "", "preprint"),
        ("2105.03824", "North American Chapter of the ACL", "", "inproceedings"),
        ("2105.03824", "Neural Information Processing Systems (NeurIPS)", "", "inproceedings"),
        ("2105.03824", "Journal of Machine Learning Research", "", "article"),
        ("10.1038/nature14539", "", "", "article"),
        ("10.1038/nature14539", "Nature", "", "article"),
        ("10.1145/3292500.3330701", "", "", "inproceedings"),
        ("10.1109/cvpr.2016.90", "", "", "inproceedings"),
        ("10.1109/tpami.2019.2913372", "IEEE Transactions on Pattern Analysis", "", "article"),
        ("10.1007/978-3-319-24574-4_28", "", "", "chapter"),
        ("10.1007/978-0-387-45528-0", "", "", "book"),
        ("10.1101/2020.01.01.123456", "", "", "preprint"),
        ("10.5281/zenodo.1234", "", "", "dataset"),
        ("10.1073/pnas.1", "Proceedings of the National Academy of Sciences", "", "article"),
        ("acl:N19-1423", "", "", "inproceedings"),
        ("https://proceedings.mlr.press/v97/poe19a.html", "", "", "inproceedings"),
        ("openreview:AbCdEfGhIj", "", "", "preprint"),
        ("openreview:AbCdEfGhIj", "ICLR 2021", "", "inproceedings"),
        ("github:o/n", "", "", "software"),
        ("https://gitlab.com/o/n", "", "", "software"),
        ("https://www.youtube.com/watch?v=abcdefghijk", "", "", "video"),
        ("https://blog.example.org/post", "", "", "webpage"),
        ("https://example.org/notes.pdf", "", "", "misc"),
        ("https://example.org/t.pdf", "PhD thesis, Somewhere", "", "thesis"),
        ("2105.03824", "CoRR", "article", "preprint"),
        ("https://example.org/x", "", "phdthesis", "thesis"),
        ("https://example.org/x", "", "Online", "webpage"),
        ("github:o/n", "", "misc", "misc"),
        ("https://example.org/x", "", "patent", "misc"),
    ],
)
def test_kind_of_a_work(key, venue, said, kind):
    key = find_key(key)
    assert kind_of(key, [key], venue, said) == kind
    assert Reference(key, "", "T", venue=venue, entry_type=said, keys=(key,)).kind == kind


def test_every_kind_has_a_word_in_every_format():
    assert BIBTEX.keys() == CSL.keys() == RIS.keys()
