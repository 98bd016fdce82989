import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import studiolo
from studiolo.claims import SETS, Axis, Point, Region, Scale, Series, check_paper, load_paper
from studiolo.errors import PaperError


Write = Callable[[str], Path]

HEAD = """
key = "arxiv:1912.07242"
version = "v1"
title = "More Data Can Hurt"
authors = ["Preetum Nakkiran"]
year = 2019
"""
CLAIM = """
[[claim]]
id = "more-data-hurts"
says = "Adding samples raises the risk before it falls."
where = "Figure 1"
source = "read"
run = "risk_curve"
config = { d = 200 }
metric = "rise"
region = { at_least = 1.5 }
why = "Half as much again is seen by eye."
scale = { kind = "reduced", paper = "d = 1000", here = "d = 200" }
"""
OTHER = '[[claim]]\nid = "other"\nlike = "more-data-hurts"\n'
JOINED = """
[[claim]]
id = "both"
says = "Both."
where = "Figure 1"
source = "recalled"
all_of = ["more-data-hurts", "other"]
"""
FIGURE = """
[[figure]]
id = "risk"
title = "Risk"
description = "The risk falls, peaks and falls."
run = "risk_curve"
kind = "lines"
x = { array = "n", label = "samples n", scale = "log" }
y = { label = "excess risk" }
series = [{ array = "risk", label = "measured" }, { array = "law", label = "law", role = "theory" }]
points = [{ x = 899, y = 0.19, label = "paper" }]
"""
BARS = """
[[figure]]
id = "accuracy"
title = "Accuracy"
description = "Both reach the same."
run = "accuracy"
kind = "bars"
x = { labels = ["fourier", "attention"] }
series = [{ values = ["acc_fourier", "acc_attention"], label = "accuracy" }]
"""
ANSWER = """
[[answer]]
work = "arxiv:2105.03824"
question = "Could this accelerate pretraining?"
says = "Not at this size."
claims = ["more-data-hurts"]
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        folder = tmp_path / "double_descent"
        folder.mkdir(exist_ok=True)
        (folder / "paper.toml").write_text(text)
        return folder

    return write


def test_a_paper_reads_with_its_defaults(write: Write) -> None:
    paper = load_paper(write(HEAD + CLAIM))
    assert (paper.slug, paper.key, paper.version) == ("double_descent", "arxiv:1912.07242", "v1")
    assert paper.authors == ("Preetum Nakkiran",)
    claim = paper.claim("more-data-hurts")
    assert (claim.statistic, claim.seeds, claim.failure, claim.series) == ("median", 8, "error", 0)
    assert (claim.timeout_s, claim.timing) == (120.0, False)
    assert claim.region == Region("at_least", (1.5,))
    assert claim.scale == Scale("reduced", "d = 1000", "d = 200")
    assert (claim.config, claim.weaker, claim.controls) == ({"d": 200}, None, ())


def test_every_field_of_a_claim_is_read(write: Write) -> None:
    more = (
        'statistic = "share"\nseeds = 20\nfailure = "outside"\nseries = 2\ntimeout_s = 5\ntiming = true\n'
        'against = "fused attention"\nneeds = ["cuda", "quiet", "data:mnist", "world:2"]\n'
        "weaker = { above = 0.5 }\n"
    )
    claim = load_paper(write(HEAD + CLAIM + more)).claim("more-data-hurts")
    assert (claim.statistic, claim.seeds, claim.failure, claim.series) == (
        "share", 20, "outside", 2,
    )  # fmt: skip
    assert (claim.timeout_s, claim.timing, claim.against) == (5.0, True, "fused attention")
    assert claim.needs == ("cuda", "quiet", "data:mnist", "world:2")
    assert claim.weaker == Region("above", (0.5,))
    assert claim.why == "Half as much again is seen by eye."


def test_an_exact_claim_is_run_twice(write: Write) -> None:
    paper = load_paper(write(HEAD + CLAIM + 'statistic = "exact"\n'))
    assert paper.claim("more-data-hurts").seeds == 2


def test_like_inherits_what_is_not_overridden(write: Write) -> None:
    larger = """
[[claim]]
id = "larger"
like = "more-data-hurts"
config = { trials = 5 }
scale = { kind = "toy" }
seeds = 11
weaker = {}
"""
    paper = load_paper(write(HEAD + larger + CLAIM + "weaker = { above = 1 }\n"))
    claim = paper.claim("larger")
    assert claim.config == {"d": 200, "trials": 5}
    assert claim.scale == Scale("toy", "d = 1000", "d = 200")
    assert (claim.seeds, claim.metric, claim.weaker) == (11, "rise", None)
    assert paper.claim("more-data-hurts").config == {"d": 200}
    assert [claim.id for claim in paper.claims] == ["larger", "more-data-hurts"]


def test_like_reaches_through_several_claims(write: Write) -> None:
    third = '[[claim]]\nid = "third"\nlike = "other"\nseeds = 5\n'
    claim = load_paper(write(HEAD + third + OTHER + "config.n = 1\n" + CLAIM)).claim("third")
    assert (claim.config, claim.seeds, claim.like) == ({"d": 200, "n": 1}, 5, "other")


def test_a_control_inherits_no_controls(write: Write) -> None:
    sibling = OTHER.replace('"other"', '"wider"') + "config = { d = 400 }\n"
    paper = load_paper(write(HEAD + CLAIM + 'controls = ["other"]\n' + OTHER + sibling))
    assert paper.claim("other").controls == ()
    assert paper.claim("wider").controls == ("other",)
    assert paper.controls == ("other",)


def test_a_joined_claim_takes_the_scale_of_its_smallest_part(write: Write) -> None:
    toy = OTHER + 'scale = { kind = "toy", here = "d = 20" }\n'
    paper = load_paper(write(HEAD + JOINED + CLAIM + toy))
    both = paper.claim("both")
    assert both.all_of == ("more-data-hurts", "other")
    assert (both.region, both.seeds, both.run) == (None, 0, "")
    assert both.scale == Scale("toy", "d = 1000", "d = 20")


def test_figures_and_answers_are_read(write: Write) -> None:
    paper = load_paper(write(HEAD + CLAIM + FIGURE + BARS + ANSWER))
    lines, bars = paper.figures
    assert lines.x == Axis("samples n", "n", "log")
    assert lines.y == Axis("excess risk")
    assert lines.series == (Series("measured", "risk"), Series("law", "law", role="theory"))
    assert lines.points == (Point(899.0, 0.19, "paper"),)
    assert bars.x.labels == ("fourier", "attention")
    assert bars.series[0].values == ("acc_fourier", "acc_attention")
    assert paper.answers[0].claims == ("more-data-hurts",)


def test_heatmaps_and_galleries_are_read(write: Write) -> None:
    head = '[[figure]]\nid = "f"\ntitle = "T"\ndescription = "D."\nrun = "f"\n'
    heatmap = (
        head + 'kind = "heatmap"\nx.array = "a"\ny.array = "b"\nz = { array = "c", label = "l" }\n'
    )
    gallery = (
        head.replace('"f"', '"g"', 1)
        + 'kind = "gallery"\nimages.array = "i"\ncaptions.array = "c"\n'
    )
    first, second = load_paper(write(HEAD + heatmap + gallery)).figures
    assert (first.x.array, first.y.array, first.z) == ("a", "b", Axis("l", "c"))
    assert (second.images, second.captions) == ("i", "c")


def test_claims_load_no_numbers_library() -> None:
    code = (
        "import sys, studiolo.claims; print(sorted({'numpy', 'scipy', 'torch'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_the_look_for_numbers_libraries_can_fail() -> None:
    code = "import sys, numpy; print(sorted({'numpy', 'scipy', 'torch'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "['numpy']\n"


def test_a_folder_without_a_file_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(PaperError, match=r"paper.toml is not there\. .* `studiolo new-paper`"):
        load_paper(tmp_path)


def test_broken_toml_says_the_line(write: Write) -> None:
    with pytest.raises(PaperError, match=r"paper.toml: not TOML: .*line 2"):
        load_paper(write('key = "a"\ntitle =\nyear = 1'))


def test_bytes_that_are_no_text_are_located(write: Write) -> None:
    folder = write("")
    (folder / "paper.toml").write_bytes(b'key = "\xff"')
    with pytest.raises(PaperError, match="byte 7 is not UTF-8"):
        load_paper(folder)


def test_an_unknown_claim_names_the_known_ones(write: Write) -> None:
    with pytest.raises(PaperError, match="has no claim 'x'; its claims: more-data-hurts"):
        load_paper(write(HEAD + CLAIM)).claim("x")


def test_an_error_names_file_table_field_found_and_allowed(write: Write) -> None:
    folder = write(HEAD + CLAIM.replace('"read"', '"guess"'))
    with pytest.raises(PaperError) as caught:
        load_paper(folder)
    assert str(caught.value) == (
        f"{folder / 'paper.toml'}, [[claim]] more-data-hurts, source: "
        'found "guess"; allowed: "read" or "recalled".'
    )


def test_every_wrong_table_is_named_at_once(write: Write) -> None:
    wrong = HEAD.replace("2019", '"2019"') + CLAIM.replace("rise", "") + BARS + 'x.label = "a"'
    wrong = wrong.replace('x = { labels = ["fourier", "attention"] }\n', "")
    with pytest.raises(PaperError) as caught:
        load_paper(write(wrong))
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert 'paper.toml, year: found "2019"; allowed: a whole number of at least 1900.' in lines[0]
    assert "[[claim]] more-data-hurts, metric: found an empty text; allowed: a name in" in lines[1]
    assert "[[figure]] accuracy, x, labels: found nothing; allowed: a list with" in lines[2]


def test_claims_that_cannot_be_read_raise_no_second_error_about_answers(write: Write) -> None:
    with pytest.raises(PaperError) as caught:
        load_paper(write(HEAD + CLAIM.replace('"more-data-hurts"', '"More"') + ANSWER))
    assert len(str(caught.value).splitlines()) == 1


def replaced(old: str, new: str) -> str:
    whole = HEAD + CLAIM + FIGURE + ANSWER
    assert whole.count(old) == 1, old
    return whole.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('key = "arxiv:1912.07242"', "", "paper.toml, key: found nothing; allowed: kind:value"),
        ("arxiv:1912.07242", "1912.07242", 'key: found "1912.07242"; allowed: kind:value, such as'),
        ("arxiv:1912.07242", "arxiv:1912.07242v2", r'key without version; write it as version = "v1"'),
        ('["Preetum Nakkiran"]', "[]", "authors: found nobody; allowed: a list of names"),
        ('["Preetum Nakkiran"]', '"P"', 'authors: found "P"; allowed: a list of texts'),
        ('["Preetum Nakkiran"]', "[7]", r"authors: found \[7\]; allowed: a list of texts"),
        ("2019", "true", "year: found true; allowed: a whole number"),
        ("2019", "1066", "year: found 1066; allowed: a whole number of at least 1900"),
        ("year =", "yeer = 1\nyear =", r"yeer: found an unknown field \(did you mean year\?\); allowed: key,"),
        ("year =", 'also = ["x"]\nyear =', 'also: found "x"; allowed: a list of keys'),
        ('"more-data-hurts"\nsays', '"More data"\nsays', r"\[\[claim\]\] 1, id: found \"More data\"; allowed: a name in-kebab-case"),
        ('id = "more-data-hurts"\n', "", r"\[\[claim\]\] 1, id: found nothing; allowed: a name in-kebab"),
        ("where =", "wehre =", r"wehre: found an unknown field \(did you mean where\?\)"),
        ('where = "Figure 1"', "", r"\[\[claim\]\] more-data-hurts, where: found nothing; allowed: a text"),
        ('metric = "rise"', "metric = 3", "metric: found 3; allowed: a name in Outcome.values"),
        ('run = "risk_curve"\nconfig', "config", "run: found nothing; allowed: the name of a function"),
        ("{ d = 200 }", "200", "config: found 200; allowed: a table"),
        ("{ at_least = 1.5 }", "{ atleast = 1.5 }", "region: found 'atleast'; allowed: at_least, at_most"),
        ("region = { at_least = 1.5 }", "", "region: found nothing; allowed: exactly one of"),
        ('kind = "reduced"', 'kind = "small"', 'scale, kind: found "small"; allowed: "toy" or "reduced" or "paper"'),
        (', here = "d = 200"', "", "scale, here: found nothing; allowed: a text"),
        (', here = "d = 200"', ', heer = ""', "scale, heer: found an unknown field"),
        ('scale = { kind = "reduced", paper = "d = 1000", here = "d = 200" }', "", "scale: found nothing; allowed: a table with kind, paper and here"),
        ("why =", 'statistic = "mean"\nwhy =', 'statistic: found "mean"; allowed: "median" or "share" or "exact"'),
        ("why =", "seeds = 0\nwhy =", "seeds: found 0; allowed: a whole number of at least 1"),
        ("why =", "seeds = 2.5\nwhy =", "seeds: found 2.5; allowed: a whole number"),
        ("why =", 'seeds = 5\nstatistic = "exact"\nwhy =', "seeds: found 5; allowed: 1, since an exact claim"),
        ("why =", 'failure = "drop"\nwhy =', 'failure: found "drop"; allowed: "error" or "outside"'),
        ("why =", "series = -1\nwhy =", "series: found -1; allowed: a whole number of at least 0"),
        ("why =", "timeout_s = 0\nwhy =", "timeout_s: found 0; allowed: a number of seconds above 0"),
        ("why =", 'timeout_s = "1"\nwhy =', 'timeout_s: found "1"; allowed: a number'),
        ("why =", "timing = 1\nwhy =", "timing: found 1; allowed: true or false"),
        ("why =", 'needs = ["gpu"]\nwhy =', 'needs: found "gpu"; allowed: a list of "cuda", "quiet", "data:NAME"'),
        ("why =", 'needs = ["world:1"]\nwhy =', 'needs: found "world:1"; allowed'),
        ("why =", 'needs = ["cuda", "cuda"]\nwhy =', 'needs: found "cuda" twice; allowed'),
        ("why =", 'controls = ["none"]\nwhy =', r'controls: found "none"; allowed: ids of other claims: none'),
        ("why =", 'controls = ["more-data-hurts"]\nwhy =', 'controls: found "more-data-hurts"; allowed: ids of other'),
        ("why =", 'like = "none"\nwhy =', 'like: found "none"; allowed: the id of another claim: no other claim'),
        ("why =", 'like = "more-data-hurts"\nwhy =', "like: found a circle, more-data-hurts -> more-data-hurts"),
        ("why =", "weaker = { above = [1] }\nseries = true\nwhy =", "series: found true"),
        ("why =", "weaker = { over = 1 }\nwhy =", "weaker: found 'over'; allowed: at_least"),
        ("why =", 'all_of = ["a", "b"]\nwhy =', "run: found it beside all_of; allowed: all_of alone"),
        ("why =", 'all_of = ["a"]\nwhy =', "all_of: found .'a'.; allowed: a list of at least two ids"),
        ('kind = "lines"', 'kind = "pie"', r'\[\[figure\]\] 1, kind: found "pie"; allowed: "lines" or "points"'),
        ('array = "n", ', "", r"\[\[figure\]\] risk, x, array: found nothing; allowed: a name in Outcome.arrays"),
        ('scale = "log"', 'scale = "log10"', 'x, scale: found "log10"; allowed: "linear" or "log"'),
        ('array = "risk", ', "", r"\[\[figure\]\] risk, series 1, array: found nothing; allowed: a name in"),
        ('role = "theory"', 'role = "law"', 'series 2, role: found "law"; allowed: "measured" or "theory"'),
        ("x = 899, ", "", r"\[\[figure\]\] risk, points 1, x: found nothing; allowed: a number"),
        ('work = "arxiv:2105.03824"', 'work = "FNet"', r'\[\[answer\]\] 1, work: found "FNet"; allowed: kind:value'),
        ('claims = ["more-data-hurts"]', 'claims = ["x"]', 'claims: found "x"; allowed: ids of claims: more-data-hurts'),
        ('claims = ["more-data-hurts"]', "claims = []", "claims: found nothing; allowed: ids of the claims that"),
    ],
)  # fmt: skip
def test_a_wrong_field_says_what_is_allowed(
    write: Write, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(PaperError, match=sentence):
        load_paper(write(replaced(old, new)))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (CLAIM + CLAIM, r'\[\[claim\]\] 2, id: found "more-data-hurts" twice; allowed: a name of its own'),
        (CLAIM.replace("id =", 'like = "other"\nid =') + OTHER, "like: found a circle, more-data-hurts -> other -> more-"),
        (CLAIM + JOINED, r'both, all_of: found "other"; allowed: ids of other claims: more-data-hurts'),
        (CLAIM + OTHER + JOINED + JOINED.replace('"both"', '"all"').replace('"other"', '"both"'), 'all_of: found "both", which has all_of itself; allowed: claims that measure'),
        (CLAIM + 'controls = ["both"]\n' + OTHER + JOINED, 'controls: found "both", which has all_of itself'),
        (CLAIM + 'controls = ["other"]\n' + OTHER + JOINED, 'all_of: found the control "other"; allowed: claims that are to hold'),
        (CLAIM + 'controls = ["other"]\n' + OTHER + 'controls = ["more-data-hurts"]\n', "controls: found .*; allowed: nothing, since this claim is a control itself"),
        (CLAIM + OTHER + JOINED + "seeds = 8\n", "both, seeds: found it beside all_of"),
        (FIGURE + FIGURE, r'\[\[figure\]\] 2, id: found "risk" twice; allowed: a name of its own'),
        (FIGURE.replace("series = [{", "series = []\nz = [{"), "z: found .*; allowed: a table"),
        (BARS.replace('"acc_fourier", ', ""), 'series: found 1 values in "accuracy"; allowed: one for each of 2 x labels'),
        ("claim = 3\n", r"claim: found 3; allowed: a list of tables"),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit_together_are_refused(
    write: Write, text: str, sentence: str
) -> None:
    with pytest.raises(PaperError, match=sentence):
        load_paper(write(HEAD + text))


CHECK = """
[[check]]
id = "it-sums-to-one"
says = "Probabilities add up to one."
run = "risk_curve"
metric = "total"
region = { at_most = 1e-10 }
why = "Rounding."
"""


def test_claims_questions_and_checks_stand_apart(write: Write) -> None:
    ours = OTHER.replace("other", "ours") + 'by = "us"\n'
    broken = '[[check]]\nid = "broken"\nlike = "it-sums-to-one"\nconfig = { peek = true }\n'
    absent = '[[claim]]\nid = "absent"\nlike = "more-data-hurts"\n'
    named = CLAIM + 'controls = ["absent"]\n'
    paper = load_paper(
        write(HEAD + named + ours + absent + CHECK + 'controls = ["broken"]\n' + broken)
    )
    ids = [
        [c.id for c in part] for part in (paper.papers_claims, paper.our_questions, paper.checks)
    ]
    assert ids == [["more-data-hurts"], ["ours"], ["it-sums-to-one"]]
    assert paper.controls == ("absent", "broken")
    assert [claim.by for claim in paper.claims] == ["paper", "us", "paper", "code", "code"]


def test_a_check_is_exact_and_has_neither_place_nor_scale(write: Write) -> None:
    claim = load_paper(write(HEAD + CLAIM + CHECK)).claim("it-sums-to-one")
    assert (claim.by, claim.statistic, claim.seeds) == ("code", "exact", 2)
    assert (claim.where, claim.source, claim.scale) == ("", "", Scale("", "", ""))
    for field in ('where = "Section 1"', 'scale = { kind = "toy" }', 'by = "paper"', "states = 1"):
        with pytest.raises(PaperError, match=r"it-sums-to-one, \w+: found an unknown field"):
            load_paper(write(HEAD + CLAIM + CHECK + field + "\n"))


def test_a_check_like_a_claim_takes_what_a_check_has(write: Write) -> None:
    text = '[[check]]\nid = "same"\nlike = "more-data-hurts"\nstatistic = "exact"\n'
    claim = load_paper(write(HEAD + CLAIM + text)).claim("same")
    assert (claim.by, claim.run, claim.where, claim.scale.kind) == ("code", "risk_curve", "", "")


def test_a_claim_does_not_rest_on_checks(write: Write) -> None:
    text = HEAD + CLAIM + CHECK + JOINED.replace("other", "it-sums-to-one")
    with pytest.raises(
        PaperError, match='found the check "it-sums-to-one"; allowed: claims, which'
    ):
        load_paper(write(text))


def test_only_a_sentence_of_the_paper_inherits_its_place(write: Write) -> None:
    text = HEAD + CLAIM + "states = 1.5\nceiling = 3\n" + OTHER + 'by = "us"\n'
    other = load_paper(write(text)).claim("other")
    assert (other.where, other.source, other.states) == ("", "", None)
    assert (str(other.ceiling), other.run) == ("3", "risk_curve")
    text = HEAD + CLAIM + "states = 1.5\nceiling = 3\n" + 'controls = ["other"]\n' + OTHER
    other = load_paper(write(text)).claim("other")
    assert (other.where, other.source, other.states, other.ceiling) == ("", "", None, None)


@pytest.mark.parametrize(
    ("given", "value", "shown"),
    [
        ("1.53", 1.53, "1.53"),
        ('"8 d + 4 l"', None, "8 d + 4 l"),
        ('{ value = 2, why = "counted" }', 2.0, "2, counted"),
    ],
)
def test_a_ceiling_is_a_number_a_reason_or_both(
    write: Write, given: str, value: float | None, shown: str
) -> None:
    ceiling = load_paper(write(HEAD + CLAIM + f"ceiling = {given}\n")).claims[0].ceiling
    assert ceiling is not None
    assert (ceiling.value, str(ceiling)) == (value, shown)


DEEP = "[" * 40 + "]" * 40
HOSTILE = {
    "a date": ("config = { d = 2026-11-26 }", "config, d: found 2026-11-26; allowed: texts, finite"),
    "a time in a list": ("config = { d = [1, 10:00:00] }", "config, d: found 10:00:00; allowed: texts"),
    "not a number": ("config = { d = nan }", "config, d: found nan; allowed: texts, finite numbers"),
    "infinity": ("config = { d = { e = -inf } }", "config, d: found -inf; allowed: texts, finite numbers"),
    "many digits": (f"config = {{ d = {'9' * 400} }}", "config, d: found a whole number of 400 digits"),
    "more digits than Python reads": (f"config = {{ d = {'9' * 5000} }}", "not TOML: Exceeds the"),
    "a hexadecimal of 5,000 digits": (f"series = 0x{'f' * 5000}", "series: found a int too large to show"),
    "lists in lists": (f"config = {{ d = {DEEP} }}", "config, d: found lists and tables more than 16 deep"),
    "far more lists": (f"config = {{ d = {'[' * 9000} }}", "not TOML: "),
    "tables in tables": (f"config.{'.'.join('a' * 5000)} = 1", "config, a: found lists and tables more than 16"),
    "tables for a text": (f"why.{'.'.join('a' * 5000)} = 1", "why: found a table too large to show; allowed: a text"),
    "a region of 400 digits": (f"weaker = {{ above = -{'9' * 400} }}", "weaker: found above = -9999.*; allowed: finite"),
    "an infinite region": ("weaker = { above = -inf }", "weaker: found above = -inf; allowed: finite numbers"),
    "a billion seeds": ("seeds = 1_000_000_000", "seeds: found 1000000000; allowed: .* at most 1000"),
    "a timeout of centuries": ("timeout_s = 1e300", "timeout_s: found 1e.300; allowed: .* at most a week"),
    "a timeout that is none": ("timeout_s = nan", "timeout_s: found nan; allowed: a finite number"),
    "a number of 400 digits": (f"states = {'9' * 400}", "states: found 9999.*; allowed: a finite number"),
    "a ceiling that is a list": ("ceiling = [1]", r"ceiling: found \[1\]; allowed: a number, a text, or a table"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "sentence"), HOSTILE.values(), ids=HOSTILE)
def test_a_value_that_no_record_could_hold_is_one_sentence(
    write: Write, line: str, sentence: str
) -> None:
    field = line.partition(" ")[0].partition(".")[0]
    kept = [one for one in CLAIM.splitlines() if not one.startswith(f"{field} ")]
    with pytest.raises(PaperError, match=sentence) as caught:
        load_paper(write(HEAD + "\n".join([*kept, line, ""])))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("run", ["risk\\u0000curve", "risk curve", "../risk", "[/x]", ""])
def test_a_run_is_the_name_of_a_function(write: Write, run: str) -> None:
    text = CLAIM.replace('"risk_curve"', f'"{run}"')
    with pytest.raises(
        PaperError, match=r"run: found .*; allowed: the name of a function in exper"
    ):
        load_paper(write(HEAD + text))


@pytest.mark.parametrize("config", ["3", '"d = 200"', "[200]", "2026-11-26"])
def test_an_inherited_config_that_is_no_table_is_one_sentence(write: Write, config: str) -> None:
    text = CLAIM.replace("{ d = 200 }", config) + OTHER + "config = { trials = 5 }\n"
    with pytest.raises(PaperError, match=r"config: found .*; allowed: a table"):
        load_paper(write(HEAD + text))


def test_a_long_chain_of_heirs_reads_in_a_moment(write: Write) -> None:
    chain = [
        f'[[claim]]\nid = "heir-{i}"\nlike = "heir-{i + 1}"\nsays = "Heir {i}."\n'
        for i in range(3000)
    ]
    last = CLAIM.replace("more-data-hurts", "heir-3000")
    start = time.process_time()
    paper = load_paper(write(HEAD + "".join(chain) + last))
    assert len(check_paper(paper)) < 3010
    assert time.process_time() - start < 5
    assert paper.claim("heir-0").run == "risk_curve"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("{ at_least = 1.5 }", "{ atleast = 1.5 }", "region"),
        ('metric = "rise"', "", "metric"),
        ("{ d = 200 }", "{ d = inf }", "config, d"),
        ("why =", 'controls = ["none"]\nwhy =', "controls"),
    ],
)
def test_mistake_that_claims_inherit_is_told_once(
    write: Write, old: str, new: str, field: str
) -> None:
    third = '[[claim]]\nid = "third"\nlike = "other"\nconfig = { n = 2 }\n'
    own = '[[claim]]\nid = "fourth"\nlike = "other"\nseeds = 0\nregion = { above = 1 }\n'
    with pytest.raises(PaperError) as raised:
        load_paper(write(third + CLAIM.replace(old, new) + OTHER + own))
    said = str(raised.value).splitlines()
    assert sum(f"{field}: found" in line for line in said) == 1
    assert any(f"[[claim]] more-data-hurts, {field}: found" in line for line in said)
    if field != "metric":  # the first thing wrong with it is its own
        assert any("[[claim]] fourth, seeds: found 0" in line for line in said)


def test_data_set_that_nobody_knows_is_refused_with_those_there_are(write: Write) -> None:
    def needs(name: str, data: str = "digits") -> str:
        return HEAD + f'data = ["{data}"]\n' + CLAIM + f'needs = ["data:{name}"]\n'

    wrong = (
        r'needs: found "data:mnits" \(did you mean data:mnist\?\); allowed: data: with arxiv_ml, .*, mnist, .*, '
        r"or with a set of your own that stands in the paper's data\."
    )
    with pytest.raises(PaperError, match=wrong):
        load_paper(write(needs("mnits")))
    with pytest.raises(PaperError, match=r'found "data:pets"; allowed'):
        load_paper(write(needs("pets", "old-pets")))
    for text in (needs("mnist"), needs("pets", "pets (mine)")):
        assert load_paper(write(text)).claims[0].needs


def test_data_sets_are_those_that_experiments_can_load() -> None:
    modules = (Path(studiolo.__file__).parent / "data").glob("*.py")
    code = "\n".join(path.read_text() for path in modules)
    loaded = set(re.findall(r'load_(?:content|images)\(f?"(\w+)[/"]', code))
    assert loaded == set(SETS)
