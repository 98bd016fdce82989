"""The bundled list, read completely."""

from studiolo.lists import Document


TITLES = [
    (None, "More Data Can Hurt for Linear Regression: Sample-wise Double Descent", 2019),
    ("NADE", "Neural autoregressive density estimation", 2016),
    (None, "What Do Compressed Deep Neural Networks Forget?", 2019),
    (None, "microsoft/fnl_paper: deficient-efficient", None),
    ("Performers", "Rethinking Attention with Performers", 2020),
    (None, "Attention the Analogue of Kernels in Deep Learning", None),
    ("FNet", "FNet: Mixing Tokens with Fourier Transforms", 2021),
    ("ExpireSpan", "Not All Memories are Created Equal: Learning to Forget by Expiring", None),
]
KEYS = [
    ["arxiv:1912.07242"],
    ["arxiv:1605.02226"],
    ["arxiv:1911.05248"],
    ["github:microsoft/fnl_paper"],
    ["arxiv:2009.14794"],
    [
        "url:https://hyunjik11.github.io/talks/Attention_the_Analogue_of_Kernels_in_Deep_Learning.pdf"
    ],
    ["arxiv:2105.03824", "youtube:JJR3pBl78zw"],
    [
        "arxiv:2105.06548",
        "github:facebookresearch/transformer-sequential",
        "youtube:2PYLNHqxd5A",
    ],
]


def test_seed_has_eight_entries_among_nineteen_items(seed: Document) -> None:
    assert len(seed.entries) == 8
    assert sum(block.kind == "item" for block in seed.root.walk()) == 19


def test_names_titles_and_years_are_read_from_all_five_styles(seed: Document) -> None:
    assert [(e.name, e.title, e.year) for e in seed.entries] == TITLES


def test_authors_are_read_where_the_seed_names_them(seed: Document) -> None:
    assert [e.authors for e in seed.entries] == [
        ("Preetum Nakkiran",),
        (),
        (),
        (),
        (),
        (),
        ("James Lee-Thorp", "Joshua Ainslie", "Ilya Eckstein", "Santiago Ontanon"),
        (),
    ]


def test_all_keys_of_the_seed(seed: Document) -> None:
    assert [[str(key) for key in e.keys] for e in seed.entries] == KEYS


def test_versions_and_positions_are_attributes_of_the_mention(seed: Document) -> None:
    forget, fnet = seed.entries[2], seed.entries[6]
    assert forget.links[0].mention is not None
    assert forget.links[0].mention.version == 2
    assert [link.mention.position_s for link in fnet.links if link.mention] == [None, 1297]


def test_sections_of_the_seed(seed: Document) -> None:
    top = ("To Review", "Architecture/theory")
    assert [e.section for e in seed.entries] == (
        [(*top, "Misc")] * 2
        + [(*top, "Model Compression / Compressed learning")] * 2
        + [(*top, "Transformers")] * 4
    )


def test_everything_in_the_seed_is_to_read(seed: Document) -> None:
    assert {(e.state, e.state_by) for e in seed.entries} == {("to read", "section")}


def test_notes_of_the_seed(seed: Document) -> None:
    assert [len(e.notes) for e in seed.entries] == [1, 0, 1, 0, 2, 0, 3, 2]
    assert [note.text for note in seed.entries[7].notes] == [
        "Facebook AI",
        "Yannic Kilcher: https://www.youtube.com/watch?v=2PYLNHqxd5A",
    ]


def test_the_one_question_of_the_seed(seed: Document) -> None:
    asked = [(e.name, q.text, q.line, q.answer) for e in seed.entries for q in e.questions]
    assert asked == [("FNet", "Could this be used to accelerate pretraining?", 41, None)]
    assert [q.text for q in seed.questions] == [asked[0][1]]


def test_spans_of_the_seed_are_whole_lines(seed: Document) -> None:
    for entry in seed.entries:
        start, end = entry.span
        assert seed.data[start - 1 : start] == b"\n"
        assert seed.data[end - 1 : end] == b"\n"
        assert seed.data[start:end].decode() == entry.text
        assert seed.data.count(b"\n", 0, start) + 1 == entry.line
