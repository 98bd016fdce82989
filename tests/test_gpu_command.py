"""`make gpu`: what it runs, and that it can be tried on a CPU."""

import importlib.util
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[1]


@pytest.fixture
def gpu():
    spec = importlib.util.spec_from_file_location("bench_gpu", ROOT / "bench" / "gpu.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_steps_come_in_order_and_stay_under_eight_minutes(gpu):
    processes = list(gpu.commands(Namespace(steps=[], only="", tune=False, dry=False)))
    sections = [path.stem for path in sorted((ROOT / "bench").glob("gpu_*.py"))]
    assert [name for name, _, _ in processes] == ["machine", "tests", *sections, "claims"]
    marked = next(command for name, command, _ in processes if name == "tests")
    assert marked[marked.index("-m", 1) :][:2] == ["-m", "gpu"]
    assert max(limit_s for _, _, limit_s in processes) < gpu.TOTAL_S < 8 * 60


def test_process_beyond_its_limit_is_ended_and_said(gpu, tmp_path, capsys):
    wanted = Namespace(dry=False, tune=False, only="", out=tmp_path)
    command = ["-c", "print('begun', flush=True); import time; time.sleep(60)"]
    assert gpu.run("slow", command, 1.0, wanted) == -9
    assert capsys.readouterr().out == "== slow\nbegun\n"
    assert (tmp_path / "gpu.txt").read_text() == "== slow\nbegun\n"


@pytest.mark.slow
def test_all_of_it_can_be_tried_on_a_cpu(tmp_path):
    command = [sys.executable, "bench/gpu.py", "--dry", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
    assert (tmp_path / "machine.json").exists()
    assert "would run" in done.stdout
