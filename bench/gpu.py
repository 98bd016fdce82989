"""All that a GPU is asked: `make gpu`, or `python bench/gpu.py [machine] [tests] [bench] [claims]`.

    machine   what is measured on: the GPU, its memory and driver, CUDA, torch, Triton
    tests     the tests marked gpu
    bench     one table for each bench/gpu_*.py: `rows()` yields (what, milliseconds or text, bar); `--tune` calls
              `tune()` before, which prints what else was tried
    claims    the claims that need cuda, of all bundled papers; the records go into each paper's `results/`

Each step runs in processes of its own under a time limit, so that none takes the next with it; all together stay
under 8 minutes. `--dry` tries everything at tiny sizes on a CPU, Triton's programs in its interpreter. It needs no
installation: a Python with torch, Triton, jaxtyping, psutil, platformdirs and, for the tests, pytest and hypothesis will do.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path


ROOT = Path(__file__).resolve().parents[1]
LIMITS_S = {"machine": 60, "tests": 150, "bench": 45, "claims": 150}  # of one process each
TOTAL_S = 470.0  # what comes late gets what is left
JOBS = 4  # seeds at a time on one GPU; what is timed runs alone


def main() -> None:
    """Run the steps that were asked for, and say at the end which went well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("steps", nargs="*", help="which; default: all")
    parser.add_argument("--dry", action="store_true", help="on the CPU, at tiny sizes")
    parser.add_argument("--tune", action="store_true", help="print what other settings give")
    parser.add_argument("--only", default="", help="one paper, as in gpu_<paper>.py")
    parser.add_argument("--out", type=Path, help="a folder for machine.json and gpu.txt")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    sys.path.insert(0, str(ROOT / "src"))
    if wanted.inside:
        inside(wanted)
        return
    if unknown := sorted(set(wanted.steps) - set(LIMITS_S)):
        parser.error(f"there is no step {unknown[0]!r}; there are {', '.join(LIMITS_S)}")
    failed = []
    started = time.monotonic()
    for name, command, limit_s in commands(wanted):
        begun = time.monotonic()
        left_s = max(TOTAL_S - (begun - started), 1.0)
        code = run(name, command, min(limit_s, left_s), wanted)
        said = "" if not code else f" (exit code {code})"
        line = f"{name}: {time.monotonic() - begun:.0f} s{said}"
        failed += [line] if code else []
        say(f"== {line}\n", wanted.out)
    say(f"All in {time.monotonic() - started:.0f} s.", wanted.out)
    if failed:
        say("Failed: " + "; ".join(failed), wanted.out)
        sys.exit(1)


def commands(wanted: argparse.Namespace) -> Iterator[tuple[str, list[str], float]]:
    """Yield the name, the command and the time limit of every process, in order."""
    for step in LIMITS_S:
        if wanted.steps and step not in wanted.steps:
            continue
        limit_s = LIMITS_S[step] * (2 if wanted.tune and step == "bench" else 1)
        if step == "tests":
            marked = [
                str(path.relative_to(ROOT))
                for folder in ("tests", "src/studiolo/papers")
                for path in sorted((ROOT / folder).rglob("test_*.py"))
                if "mark.gpu" in path.read_text()
            ]
            # names as they come, since the limit may come before the summary; another torch than the
            # pinned one may warn of other things
            options = [
                "-v",
                "--tb=short",
                "-W",
                "default",
                "-p",
                "no:cacheprovider",
                "--durations=5",
            ]
            if importlib.util.find_spec("xdist") and not wanted.dry:
                options += ["-n", "6", "--dist", "worksteal"]
            chosen = ["-m", "gpu", *(["-k", wanted.only] if wanted.only else [])]
            yield step, ["-m", "pytest", *options, *chosen, *marked], limit_s
        elif step == "bench":
            for path in sorted((ROOT / "bench").glob("gpu_*.py")):
                if wanted.only not in path.stem:
                    continue
                yield path.stem, [str(ROOT / "bench/gpu.py"), "--inside", path.stem], limit_s
        else:
            yield step, [str(ROOT / "bench/gpu.py"), "--inside", step], limit_s


def run(name: str, command: list[str], limit_s: float, wanted: argparse.Namespace) -> int:
    """Run one process, show what it prints as it comes, and end it with its children at its limit."""
    options = [f"--{one}" for one in ("dry", "tune") if getattr(wanted, one)]
    options += ["--only", wanted.only] if wanted.only else []
    options += ["--out", str(wanted.out)] if wanted.out else []
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    if wanted.dry:
        environment |= {
            "STUDIOLO_GPU_DRY": "1",
            "TRITON_INTERPRET": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }
    say(f"== {name}", wanted.out)
    child = subprocess.Popen(
        [sys.executable, *command, *(options if "--inside" in command else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    timer = threading.Timer(limit_s, lambda: os.killpg(child.pid, signal.SIGKILL))
    timer.start()
    try:
        with child:
            assert child.stdout is not None
            for line in child.stdout:
                say(line.rstrip(), wanted.out)
    finally:
        timer.cancel()
    return child.returncode


def say(line: str, out: Path | None) -> None:
    """Print a line, and keep it."""
    print(line, flush=True)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        with (out / "gpu.txt").open("a") as file:
            file.write(line + "\n")


def inside(wanted: argparse.Namespace) -> None:
    """Do one step in this process."""
    if wanted.inside == "machine":
        machine(wanted.out)
    elif wanted.inside == "claims":
        claims(wanted)
    else:
        section(wanted)


def machine(out: Path | None) -> None:
    """Say what is measured on."""
    import torch

    from studiolo.runs import this_environment, this_machine

    here = this_machine()
    said = {
        "machine": str(here),
        "records": here.slug,
        "gpu": here.gpu,
        "gpu_gib": here.gpu_gib,
        "driver": here.driver,
        "environment": this_environment(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "usable": torch.cuda.is_available(),
    }
    try:
        said["triton"] = importlib.import_module("triton").__version__
    except ImportError:
        said["triton"] = None
    for name, value in said.items():
        print(f"{name}: {value}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "machine.json").write_text(json.dumps(said, indent=2) + "\n")


def section(wanted: argparse.Namespace) -> None:
    """Print the table of one paper."""
    module = importlib.import_module(wanted.inside)  # beside this file
    if wanted.tune and hasattr(module, "tune"):
        module.tune()
    print("| what | measured | bar |\n| --- | --- | --- |")
    for what, value, bar in module.rows():
        shown = f"{value:.4g} ms" if isinstance(value, float) else value
        print(f"| {what} | {shown} | {bar} |", flush=True)


def claims(wanted: argparse.Namespace) -> None:
    """Measure the claims that need cuda, and keep their records in the paper folders."""
    from studiolo import runs

    library = ROOT / "build" / "gpu"
    (library / ".studiolo").mkdir(parents=True, exist_ok=True)
    papers = [
        paper
        for paper in runs.discover(library)
        if wanted.only in paper.slug and any("cuda" in claim.needs for claim in paper.claims)
    ]
    if wanted.dry:
        for paper in papers:
            experiments = importlib.import_module(f"studiolo.papers.{paper.slug}.experiments")
            for claim in paper.claims:
                if "cuda" in claim.needs and not claim.all_of:
                    function = getattr(experiments, claim.run)
                    inspect.signature(function).bind(seed=0, **claim.config)
                    print(f"{paper.slug} {claim.id}: {claim.seeds} seeds of {claim.run} would run")
        return

    def tell(event: runs.Event) -> None:
        if isinstance(event, runs.SeedFinished):
            one = event.record
            print(f"{one.paper} {one.run} {one.index}: {one.status} {one.why} {one.wall_s:.1f} s")

    found = runs.run(
        papers,
        library,
        jobs=JOBS,
        budget_s=LIMITS_S["claims"] - 30,
        needs=("cuda",),
        retry=True,
        tell=tell,
    )
    for evidence in found:
        verdicts = evidence.verdicts()
        for claim in evidence.paper.claims:
            if "cuda" in claim.needs:
                print(f"{evidence.paper.slug} {claim.id}: {verdicts[claim.id]}")
        print(runs.save_reference(evidence.paper, library))


if __name__ == "__main__":
    main()
