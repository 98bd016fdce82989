import os
import random
import time

import pytest

from .fuzz import assert_reads_or_refuses, spoil
from .samples import SAMPLES


SECONDS = float(os.environ.get("STUDIOLO_FUZZ_S", "0"))  # a parser; CI takes five


@pytest.mark.parametrize("name", SAMPLES)
def test_good_sample_is_read(name):
    good, read = SAMPLES[name]
    assert assert_reads_or_refuses(read, good)


@pytest.mark.parametrize("name", SAMPLES)
def test_spoilt_export_is_read_or_refused_with_a_sentence(name):
    good, read = SAMPLES[name]
    rng = random.Random(name)
    end = time.monotonic() + SECONDS
    samples = 0
    while samples < 150 or time.monotonic() < end:
        assert_reads_or_refuses(read, spoil(good, rng))
        samples += 1


@pytest.mark.parametrize("name", SAMPLES)
def test_noise_is_read_or_refused_with_a_sentence(name):
    _, read = SAMPLES[name]
    rng = random.Random(name)
    for size in (0, 1, 2, 7, 64, 1000):
        assert_reads_or_refuses(read, rng.randbytes(size))
