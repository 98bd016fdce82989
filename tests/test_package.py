"""The package as a stranger gets it: built, checked, and installed where nothing else is."""

import json
import os
import re
import resource
import runpy
import shutil
import subprocess
import sys
import time
import tomllib
import types
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt


ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LARGEST = 2_000_000  # bytes of the wheel
FIRST_VERDICT_S = 90
INTERPRETERS = [
    line.rsplit(" ", 1)[1]
    for line in PROJECT["classifiers"]
    if line.startswith("Programming Language :: Python :: 3.")
]


def interpreter(version):
    """Return the path of an interpreter that starts, None where this machine lacks it."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    pyenv = Path.home() / ".pyenv" / "versions"
    places = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"))]
    for place in filter(None, places):
        asked = subprocess.run(
            [place, "-c", "import sys; print(*sys.version_info[:2], sep='.')"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if asked.stdout.strip() == version:
            return str(place)
    return None


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Source archive and wheel, the wheel built from the archive as installers would."""
    folder = tmp_path_factory.mktemp("dist")
    tree = tmp_path_factory.mktemp("tree") / "studiolo"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", folder, tree],
        check=True, capture_output=True,
        env=os.environ | {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")},
    )  # fmt: skip
    [archive], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return archive, wheel


def install(folder, requirement, python=sys.executable):
    """Put a requirement into an environment of its own, and return its folder of programs."""
    if not folder.exists():
        subprocess.run([python, "-m", "venv", folder], check=True)
    subprocess.run(
        [
            *(folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check"),
            *("--constraint", ROOT / "constraints.txt", requirement),
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return folder / "bin"


def run(programs, *words, cwd, code=0):
    done = subprocess.run(
        [programs / "studiolo", *words], cwd=cwd, capture_output=True, text=True, timeout=120,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(cwd), "LANG": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr + done.stdout  # what it says of its work, then what was asked for


def relative_links(text):
    """Return the addresses of links and pictures that hold only inside of the repository."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inside = [child for token in tokens for child in token.children or ()]
    found = [str(one.attrs.get("href") or one.attrs.get("src") or "https:") for one in inside]
    return [one for one in found if not one.startswith(("https:", "http:", "mailto:", "#"))]


@pytest.fixture(scope="module")
def index_page():
    """What the build makes of README.md; the build's own tool need not be here."""
    hook = types.ModuleType("hatchling.metadata.plugin.interface")
    hook.MetadataHookInterface = object
    path = ROOT / "docs/index_page.py"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, hook.__name__, hook)
        return runpy.run_path(str(path))["page"]


README = """\
![A [wide] picture](docs/list.svg) and [how](docs/runs.md), [there](#papers), [code `a[0]`](https://x.org/a).

```python
x = f[0](docs/list.svg)
```

| [FNet](src/fnet/README.md) | `a` |
"""


@pytest.mark.parametrize(
    ("repository", "whole"),
    [
        (
            "https://git.example/us/studiolo/",
            README.replace(
                "picture](docs/", "picture](https://git.example/us/studiolo/raw/v1/docs/"
            )
            .replace("(docs/runs.md)", "(https://git.example/us/studiolo/blob/v1/docs/runs.md)")
            .replace("(src/", "(https://git.example/us/studiolo/blob/v1/src/"),
        ),
        (
            "",
            README.replace("![A [wide] picture](docs/list.svg)", "")
            .replace("[how](docs/runs.md)", "how")
            .replace("[FNet](src/fnet/README.md)", "FNet"),
        ),
    ],
    ids=["known", "not known"],
)
def test_page_of_an_index_has_no_relative_link(index_page, repository, whole):
    assert index_page(README, repository, "v1") == whole
    page = index_page((ROOT / "README.md").read_text(), repository, "v1")
    assert relative_links(page) == []
    assert relative_links((ROOT / "README.md").read_text())


@pytest.mark.slow
def test_wheel_is_small_and_holds_what_commands_need(built):
    wheel = built[1]
    assert wheel.stat().st_size < LARGEST
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
        [about] = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(content.read(about).decode())
    for name in (
        "studiolo/py.typed",
        "studiolo/example/lists/recent-ml-research.md",
        "studiolo/papers/_template/paper.toml",
        "studiolo/papers/fnet/paper.toml",
        "studiolo/report/templates/page.html.j2",
        f"studiolo-{PROJECT['version']}.dist-info/licenses/LICENSE",
    ):
        assert name in names
    outside = {name for name in names if not name.startswith(("studiolo/", "studiolo-"))}
    caches = {name for name in names if "__pycache__" in name or ".studiolo/" in name}
    assert outside | caches == set()
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    page = metadata.get_payload()
    assert page.startswith("# Studiolo")
    assert relative_links(page) == []
    assert page.count("```") == (ROOT / "README.md").read_text().count("```")


@pytest.mark.slow
def test_a_package_index_would_take_it(built):
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *built],
        capture_output=True, text=True, check=False, env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200"},
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count("PASSED") == 2


@pytest.mark.slow
@pytest.mark.parametrize("version", INTERPRETERS)
def test_without_extras_it_reads_collects_reports_and_says_what_running_needs(
    built, version, tmp_path
):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    programs = install(tmp_path / "venv", built[1], python)
    assert "A reading list you can run" in run(programs, "--help", cwd=tmp_path)
    run(programs, "init", "library", cwd=tmp_path)
    home = tmp_path / "library"
    assert "8 entries" in run(programs, "show", cwd=home)
    run(programs, "collect", "urls", "1706.03762", cwd=home)
    assert "1706.03762" in run(programs, "inbox", cwd=home)
    run(programs, "find", "fourier", cwd=home)
    run(programs, "suggest", cwd=home)
    page = run(programs, "report", cwd=home).splitlines()[-1]
    assert "<html" in Path(page).read_text()
    assert "pip install 'studiolo[run]'" in run(programs, "run", cwd=home, code=1)
    if python == sys.executable:  # one environment less to fill
        said = run(programs, "serve", cwd=home, code=2)
        assert "pip install 'studiolo[web]'" in said
        check_small_extras(built[1], tmp_path / "venv", tmp_path)


def check_small_extras(wheel, environment, tmp_path):
    programs = install(environment, f"{wheel}[pdf,web]")
    code = "from studiolo.web import *; from studiolo.library import Library; import starlette, uvicorn"
    subprocess.run([programs / "python", "-c", code], check=True, cwd=tmp_path)
    (tmp_path / "pdfs").mkdir()
    code = (
        "from pypdf import PdfWriter; w = PdfWriter(); w.add_blank_page(300, 300); "
        "w.add_metadata({'/Title': 'Attention Is All You Need', '/doi': '10.1000/1'}); "
        "w.write('pdfs/1706.03762v7.pdf')"
    )
    subprocess.run([programs / "python", "-c", code], check=True, cwd=tmp_path)
    run(programs, "init", "--empty", "other", cwd=tmp_path)
    run(programs, "collect", "pdfs", "../pdfs", cwd=tmp_path / "other")
    assert "arxiv:1706.03762" in run(programs, "inbox", cwd=tmp_path / "other")


@pytest.mark.parametrize(
    "clock",
    [
        pytest.param("cpu", marks=pytest.mark.slow),  # says the same on a busy machine
        pytest.param("wall", marks=pytest.mark.soak),  # on a quiet one
    ],
)
def test_from_nothing_to_the_first_verdict_in_90_seconds(built, clock, tmp_path):
    began, used = time.monotonic(), _cpu_s_of_children()
    programs = install(tmp_path / "venv", f"{built[1]}[run]")
    installed = time.monotonic()
    with subprocess.Popen(
        [programs / "studiolo", "run", "--example", "--budget", "5m", "--json"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path)},
    ) as running:  # fmt: skip
        first = next(
            event["verdict"]["word"]
            for event in map(json.loads, running.stdout)
            if event["event"] == "ClaimJudged"
        )
        wall_s = time.monotonic() - began
        running.terminate()
        running.communicate()
    cpu_s = _cpu_s_of_children() - used
    print(f"{installed - began:.0f} s to install, {wall_s:.0f} s in all, {cpu_s:.0f} s of CPU")
    assert first == "holds"
    assert (wall_s if clock == "wall" else cpu_s) < FIRST_VERDICT_S


def _cpu_s_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_ci_runs_every_python_that_is_declared():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    [job] = workflow["jobs"].values()
    assert [f"{one}" for one in job["strategy"]["matrix"]["python"]] == INTERPRETERS
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one) for one in used), used
    assert workflow["permissions"] == {"contents": "read"}


def test_bundled_papers_import_what_the_extra_run_brings():
    """Else `run` refuses them wherever nothing else is installed."""
    from studiolo.cli.doctor import RUN_EXTRA
    from studiolo.cli.running import FASTER, GPU_ONLY, READERS
    from studiolo.runs import code_of, discover

    wanted = {name for paper in discover() for name in code_of(paper.folder).imports}
    installed = {*sys.stdlib_module_names, *RUN_EXTRA.values(), "numpy", "platformdirs"}
    assert wanted - FASTER - GPU_ONLY - READERS <= installed
