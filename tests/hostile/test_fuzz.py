import os
import random
import time

import pytest

from tests.sources.fuzz import spoil

from .fuzz import SAMPLES, reads_or_refuses


SECONDS = float(os.environ.get("STUDIOLO_FUZZ_S", "0"))  # a kind of file


@pytest.mark.parametrize("name", SAMPLES)
def test_good_sample_is_read(name, tmp_path):
    assert reads_or_refuses(tmp_path, name, SAMPLES[name][0])


@pytest.mark.parametrize("name", SAMPLES)
def test_spoilt_file_is_read_or_refused_with_a_sentence(name, tmp_path):
    rng = random.Random(name)
    end = time.monotonic() + SECONDS
    samples = 0
    while samples < 40 or time.monotonic() < end:
        reads_or_refuses(tmp_path, name, spoil(SAMPLES[name][0], rng))
        samples += 1
