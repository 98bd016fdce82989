from collections import defaultdict
from pathlib import Path

from studiolo import runs
from studiolo.runs.evidence import record_key, typical_wall_s
from studiolo.runs.fingerprint import canonical
from studiolo.runs.machine import Machine, Place
from studiolo.runs.plan import FIRST_VERDICTS_S, UNKNOWN_SEED_S, plan, plan_next

from .conftest import claim


NOTHING = "def f(*, seed, **config):\n    return Outcome({'x': 1.0})\n"


def evidence_of(papers, library, place=None):
    return [runs.load_evidence(paper, library, place) for paper in papers]


def names(chosen):
    return [(bundle.paper.slug, bundle.name) for bundle in chosen.bundles]


def costs(**seconds):
    """What a seed costs by n in its config, as `plan` takes it for the folder `tiny`."""
    return {"tiny": {("f", canonical({"n": int(n[1:])})): s for n, s in seconds.items()}}


def test_first_verdicts_of_every_bundled_folder_cost_at_most_forty_cpu_seconds(library):
    """Added up from the committed records: in each folder the cheapest bundles run first, dearer ones after them."""
    papers = runs.discover()
    reference = {paper.slug: runs.load_reference_evidence(paper) for paper in papers}
    cpu_s = defaultdict(list)
    for slug, sources in reference.items():
        for record in (r for source in sources for r in source.records if r.status == "ok"):
            cpu_s[slug, *record_key(record)[:2]].append(record.cpu_s)

    def cost_s(bundle):
        measured = (cpu_s[bundle.paper.slug, *s.experiment.key(0)[:2]] for s in bundle.seeds)
        return sum(sum(some) / len(some) if some else UNKNOWN_SEED_S for some in measured)

    typical = {slug: typical_wall_s(sources) for slug, sources in reference.items()}
    chosen = plan(evidence_of(papers, library), typical).bundles
    first = chosen[: sum(bundle.first for bundle in chosen)]
    assert all(bundle.first for bundle in first), "no dearer bundle runs before the first verdicts"
    for paper in papers:
        spent_s = sum(cost_s(bundle) for bundle in first if bundle.paper is paper)
        assert spent_s <= FIRST_VERDICTS_S == 40, f"{paper.slug}: {spent_s:.0f} CPU-s"
        assert any(b.paper is paper and b.rank < 2 for b in first), f"{paper.slug}: no verdict"


def test_papers_take_turns_in_the_order_of_the_list(make_paper, library):
    papers = [
        make_paper(NOTHING, claim("one"), claim("two", config="{ n = 2 }"), slug=slug)
        for slug in ("second-by-name", "a-by-name")
    ]
    assert names(plan(evidence_of(papers, library), {})) == [
        ("second-by-name", "one"), ("a-by-name", "one"),
        ("second-by-name", "two"), ("a-by-name", "two"),
    ]  # fmt: skip


def test_dear_claims_come_after_the_first_verdicts_of_all_papers(make_paper, library):
    papers = [
        make_paper(
            NOTHING,
            claim("dear", config="{ n = 1 }"),
            claim("cheap", config="{ n = 2 }"),
            claim("dearest", config="{ n = 3 }"),
        ),
        make_paper(NOTHING, claim("one", config="{ n = 1 }"), claim("two"), slug="other"),
    ]
    typical = costs(n1=7.1, n2=1.0, n3=9.0) | {"other": costs(n1=1.0)["tiny"]}
    chosen = plan(evidence_of(papers, library), typical)
    assert names(chosen) == [
        ("tiny", "cheap"), ("other", "one"), ("other", "two"), ("tiny", "dear"), ("tiny", "dearest"),
    ]  # fmt: skip  # 5 + 35.5 s exceed 40


def test_paper_whose_cheapest_claim_is_dear_still_gets_one_verdict(make_paper, library):
    paper = make_paper(NOTHING, claim("dear", config="{ n = 1 }"), claim("x", config="{ n = 2 }"))
    chosen = plan(evidence_of([paper], library), costs(n1=50.0, n2=60.0))
    assert [(b.name, b.first) for b in chosen.bundles] == [("dear", True), ("x", False)]


def test_seeds_that_an_earlier_bundle_brings_cost_nothing_and_come_once(make_paper, library):
    paper = make_paper(
        NOTHING,
        claim("some", config="{ n = 1 }", seeds=5),
        claim("more", config="{ n = 1 }", seeds=8),
        claim("same", config="{ n = 1 }", seeds=5),
    )
    chosen = plan(evidence_of([paper], library), costs(n1=2.0))
    assert [(b.name, len(b.seeds), b.cost_s) for b in chosen.bundles] == [
        ("some", 5, 10.0), ("more", 3, 6.0),
    ]  # fmt: skip


def test_what_is_timed_has_the_clock_to_itself(make_paper, library):
    paper = make_paper(
        NOTHING, claim("timed", config="{ n = 1 }", timing="true"), claim("x", config="{ n = 2 }")
    )
    chosen = plan(evidence_of([paper], library), costs(n1=2.0, n2=4.0))
    assert chosen.cost_s == 5 * 2.0 + 5 * 4.0
    assert chosen.wall_s(2) == 5 * 2.0 + 5 * 4.0 / 2


def test_what_comes_next_leaves_out_what_lacks_data(make_paper, library):
    lacking = """
    from studiolo.errors import NeedsData


    def f(*, seed, **config):
        if config:
            raise NeedsData("pearls")
        return Outcome({"x": 1.0})
    """
    paper = make_paper(lacking, claim("lacking", config="{ n = 1 }"), claim("done"))
    [evidence] = runs.run([paper], Path(library), jobs=2)
    assert evidence.verdicts()["lacking"].word == "not testable here"
    assert names(plan([evidence], {})) == [("tiny", "lacking")]
    assert names(plan_next({"tiny": [evidence]})) == []


def test_only_claims_that_need_a_gpu_can_be_asked_for(make_paper, library):
    place = Place(Machine("Some CPU", 2, 8, "Some GPU"), "python 3.11, no torch", 2)
    on_gpu = claim("on-a-gpu").replace("seeds = 5", 'seeds = 5\nneeds = ["cuda"]')
    papers = [make_paper(NOTHING, claim("anywhere", config="{ n = 1 }"), on_gpu)]
    chosen = plan(evidence_of(papers, library, place), {}, needs=["cuda"])
    assert names(chosen) == [("tiny", "on-a-gpu")]
    assert [(left.name, left.why) for left in chosen.left_out] == [
        ("anywhere", "does not need cuda")
    ]
