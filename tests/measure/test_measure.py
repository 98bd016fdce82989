import multiprocessing
import time

import pytest
import torch

from studiolo.measure import Pairs, abba, flops, peak_tensor_bytes, top_octave_exponent


def spin():
    while True:
        pass


@pytest.fixture
def loaded_machine():
    """Three processes that take all they can get."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=spin, daemon=True) for _ in range(3)]
    for process in processes:
        process.start()
    time.sleep(0.5)
    yield
    for process in processes:
        process.kill()
        process.join()


def work(repeats):
    a = torch.ones(160, 160)

    def function():
        for _ in range(repeats):
            a @ a

    return function


def test_known_ratio_is_found_within_5_percent_on_a_loaded_machine(loaded_machine):
    torch.set_num_threads(1)
    assert abba(work(90), work(30), pairs=25).ratio == pytest.approx(3.0, rel=0.05)


def test_busy_is_said_of_a_process_that_gets_half_a_core():
    assert Pairs([1.0], [1.0], [2.0], [2.0], load=3.0).busy
    assert not Pairs([1.0], [1.0], [1.1], [1.1], load=0.1).busy
    assert not Pairs([1.0], [1.0], [2.0], [2.0], load=3.0, device="cuda").busy


def test_order_is_abba():
    calls = []
    abba(lambda: calls.append("a"), lambda: calls.append("b"), pairs=4, warmup=0)
    assert "".join(calls) == "abbaabba"


def test_no_pairs_are_refused():
    with pytest.raises(ValueError, match="abba needs at least one pair, not 0"):
        abba(int, int, pairs=0)


def test_peak_bytes_are_exact():
    x = torch.ones(256, 64)
    product = 256 * 256 * 4
    assert peak_tensor_bytes(lambda: x @ x.T) == product
    assert peak_tensor_bytes(lambda: torch.softmax(x @ x.T, -1)) == 2 * product
    assert peak_tensor_bytes(lambda: None) == 0


def test_flops_of_a_matrix_product():
    a, b = torch.ones(7, 5), torch.ones(5, 3)
    assert flops(lambda: a @ b) == 2 * 7 * 5 * 3


def test_exponent_is_local_to_the_last_doubling():
    assert top_octave_exponent([1, 2, 4], [100.0, 101.0, 404.0]) == 2.0
    with pytest.raises(ValueError, match="must double the one before it, not 2 -> 3"):
        top_octave_exponent([1, 2, 3], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="Need two or more sizes"):
        top_octave_exponent([1], [1.0])
