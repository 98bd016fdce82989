import re

import numpy as np
import pytest

from studiolo.audit import audit
from studiolo.errors import FileError
from studiolo.report import render_audit


RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 10, 900)
HOSTILE = ["<script>alert(1)</script>", "</style><img src=x onerror=alert(2)>", *"abcdefgh"]


def side(k, loss=0.0):
    chance = np.where(LABELS == 0, 0.9 - loss, 0.9)
    return np.where(RNG.random((k, 900)) < chance, LABELS, (LABELS + 1) % 10)


def made(k=9, **settings):
    return audit(
        side(k),
        side(k, 0.6),
        LABELS,
        null=side(k),
        classes=HOSTILE,
        groups={"<b>": LABELS % 3},
        **settings,
    )


def test_page_says_floor_and_about_and_shows_every_class():
    page = render_audit(made(), title="A")
    assert page.count("<svg") == 2
    assert "between models that should be equal" in page
    assert "9 models before and 9 after" in page
    assert "Forgotten examples" in page


def test_page_escapes_every_name_and_holds_no_script():
    page = render_audit(made(show={"text": ["<script>alert(3)</script>"] * 900}), title="<script>x")
    assert "<script" not in page.lower()
    assert (
        "onerror=alert" not in page.replace("&gt;", "").replace("onerror=alert(2)&", "")
        or "&lt;img" in page
    )
    assert "<img src=x" not in page


def test_page_without_labels_shows_what_flipped():
    page = render_audit(audit([0, 1, 2], [0, 2, 1], ids=["p", "q", "r"]), title="A")
    assert "Examples that flipped" in page
    assert "nobody knows how many of them chance explains" in page
    assert "not known, as there are no two models" in page


def test_pictures_come_from_arrays_of_every_shape_and_from_folders(tmp_path):
    found = made()
    for shape in ((900, 5, 5), (900, 5, 5, 3), (900, 3, 5, 5), (900, 1, 5, 5), (900, 5, 5, 1)):
        page = render_audit(found, title="A", pictures=RNG.normal(size=shape))
        assert page.count("data:image/png") == len(re.findall("<figcaption>(?!Change)", page)) > 0
    assert "data:image/png" in render_audit(
        found, title="A", pictures=RNG.integers(0, 255, (900, 4, 4), np.uint8)
    )
    lost = int(np.argmax(found.examples.right_before - found.examples.right_after))
    (tmp_path / f"{lost}.jpg").write_bytes(b"jpeg")
    assert render_audit(found, title="A", pictures=tmp_path).count("data:image/jpeg") == 1
    with pytest.raises(FileError, match=r"The pictures are \(3, 2\) and there are 900 examples"):
        render_audit(found, title="A", pictures=np.zeros((3, 2)))


def test_many_classes_show_the_ends():
    labels = np.arange(4000) % 400
    found = audit(
        np.stack([labels] * 3), np.stack([(labels + (labels % 7 == 0)) % 400] * 3), labels
    )
    page = render_audit(found, title="A")
    assert "The 60 that changed most of 400." in page
