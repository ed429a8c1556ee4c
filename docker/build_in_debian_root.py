"""Builds the image without an engine or a registry, and uses it as a user would: every step of the Dockerfile runs in a Debian root that
debootstrap makes, then containers run read-only, without capabilities or network, as an ordinary user.

    python docker/build_in_debian_root.py [--work DIR] [--torch-build cpu] [--json FILE]

Needs root and the Debian packages debootstrap, buildah, podman and runc. Prints a line for each step, and ends with 1 at the first that fails.
Images, containers and mounts are its own, in a folder that it removes in the end. What pip is told on this machine, it is told there too.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from host_pip_settings import read_pip_settings

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
PROGRAMS = ("debootstrap", "buildah", "podman", "runc")
BASE = "localhost/debian-root:bookworm"
IMAGE = "localhost/hoifield:checked"
MIRROR = "http://deb.debian.org/debian"
USER = 10001
OTHER_USER = 12345
RESTRICTIONS = (
    "--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none",
)  # fmt: skip
"""As the README says; podman would add folders in memory to --read-only, which an engine does not."""
CANNOT = {
    "write to the root": "touch /x",
    "write to /in": "touch /in/x",
    "write to temporary folders": "touch /var/tmp/x",
    "become root": "setpriv --reuid 0 true",
    "resolve a name": "python -c 'import socket; socket.getaddrinfo(\"pypi.org\", 443)'",
    "reach an address": "python -c 'import socket; socket.create_connection((\"9.9.9.9\", 53), 5)'",
}
"""Commands that have to fail in the container."""


class StepFailed(Exception):
    """A step that did not end as it should; the message is its output's end."""


@dataclass
class Workplace:
    """The folder that everything is made in, and the figures found on the way."""

    folder: Path
    running: Path
    """For what lives as long as containers run: podman refuses a path of more than 50 characters."""
    driver: str
    figures: dict[str, object] = field(default_factory=dict)

    def storage(self) -> list[str]:
        """Options that keep images and containers inside the folder."""
        return ["--root", str(self.folder / "images"), "--runroot", str(self.running), "--storage-driver", self.driver]

    def podman(self, *arguments: str) -> list[str]:
        """A call of podman that knows this folder only."""
        own = ["--tmpdir", str(self.running / "podman"), "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
        return ["podman", *self.storage(), *own, *arguments]

    def container(self, *arguments: str, user: str = "", entrypoint: str = "", taken: str = "in", given: str = "out") -> list[str]:
        """`podman run` under all restrictions with the two mounts; arguments are what follows the image's name."""
        options = [*RESTRICTIONS, "--rm", "--cgroup-parent", self.cgroup(), "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"]
        options += ["--volume", f"{self.folder / taken}:/in:ro", "--volume", f"{self.folder / given}:/out"]
        options += ["--user", user] if user else []
        options += ["--entrypoint", entrypoint] if entrypoint else []
        return self.podman("run", *options, IMAGE, *arguments)

    def cgroup(self) -> str:
        """Name of the control group that the containers are in."""
        return f"hoifield-image-{os.getpid()}"


def main() -> int:
    """Builds, uses, cleans up; 0 when all steps ended as they should, 69 where a program is missing."""
    options = read_options()
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        print(f"missing: {', '.join([*missing, *([] if os.geteuid() == 0 else ['the rights of root'])])}", file=sys.stderr)
        print(f"  try: apt-get install {' '.join(PROGRAMS)}, then run it as root", file=sys.stderr)
        return 69
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with workplace(options.work, options.storage_driver) as place:
        try:
            make_root(place, options.mirror)
            build_image(place, options.torch_build, options.torch_index)
            inspect_image(place)
            check_restrictions(place)
            use_image(place)
        except StepFailed as failed:
            print(f"FAILED: {failed}", file=sys.stderr)
            return 1
        finally:
            report = json.dumps(place.figures, indent=1)
            print(report)
            if options.json:
                options.json.write_text(report + "\n", encoding="utf-8")
    return 0


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder to work in, some 10 GB; by default a temporary one")
    parser.add_argument("--mirror", default=MIRROR, help="Debian mirror for debootstrap")
    parser.add_argument("--torch-build", default="cpu", help="the Dockerfile's TORCH_BUILD")
    parser.add_argument("--torch-index", help="the Dockerfile's TORCH_INDEX; by default pip's own sources where this machine names any")
    parser.add_argument("--storage-driver", default="overlay", help="vfs where overlay does not work; it needs several times the space")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


@contextmanager
def workplace(parent: Path | None, driver: str) -> Iterator[Workplace]:
    """A new folder, gone in the end with its containers, mounts and control groups, whatever happened. What stays is the list of layers that
    buildah and podman keep for themselves in /var/lib/containers/cache."""
    folder = Path(tempfile.mkdtemp(prefix="hoifield-image-", dir=parent))
    folder.chmod(0o755)
    for name, owner in (("in", 0), ("out", USER), ("other", OTHER_USER)):
        (folder / name).mkdir()
        os.chown(folder / name, owner, owner)
    running = Path(tempfile.mkdtemp(prefix="hoifield-", dir="/run"))
    place = Workplace(folder, running, driver)
    try:
        yield place
    finally:
        subprocess.run(["buildah", *place.storage(), "rm", "--all"], capture_output=True, check=False)
        subprocess.run(place.podman("rm", "--all", "--force", "--time", "0"), capture_output=True, check=False)
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
        for point in sorted((point for point in mounted if any(map(Path(point).is_relative_to, (folder, running)))), reverse=True):
            subprocess.run(["umount", "--lazy", point], check=False)
        shutil.rmtree(folder)
        shutil.rmtree(running)
        groups = [*Path("/sys/fs/cgroup").glob(place.cgroup()), *Path("/sys/fs/cgroup").glob(f"*/{place.cgroup()}")]
        for group in sorted((inner for outer in groups for inner in [outer, *outer.glob("**/")]), reverse=True):
            # A hierarchy may be there under two names.
            with suppress(FileNotFoundError):
                group.rmdir()


def run(name: str, command: list[str], expected: int = 0) -> str:
    """Output of a command, which has to end with the expected code; one line says so."""
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if finished.returncode != expected:
        raise StepFailed(f"{name}: exit {finished.returncode}, expected {expected}\n{finished.stdout[-3000:]}")
    print(f"ok  {name}: exit {finished.returncode}", flush=True)
    return finished.stdout


def require(name: str, holds: bool, found: object) -> None:
    """One line, or StepFailed with what was found."""
    if not holds:
        raise StepFailed(f"{name}: {found}")
    print(f"ok  {name}: {found}", flush=True)


def make_root(place: Workplace, mirror: str) -> None:
    """A minimal Debian as an image, standing in for the base that a registry would give."""
    root = place.folder / "root"
    run("debootstrap", ["debootstrap", "--variant=minbase", "bookworm", str(root), mirror])
    version = (root / "etc" / "debian_version").read_text(encoding="utf-8").strip()
    promised = re.search(r"^# Debian (\d+\.\d+)\.", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    require("the root is the Debian that the Dockerfile names", promised is not None and promised[1] == version, version)
    place.figures["debian"] = version
    archive = place.folder / "root.tar"
    run("pack the root", ["tar", "--directory", str(root), "--create", "--file", str(archive), "."])
    run("import the root", place.podman("import", str(archive), BASE))
    shutil.rmtree(root)
    archive.unlink()


def build_image(place: Workplace, torch_build: str, torch_index: str | None) -> None:
    """Every step of the Dockerfile, each printed as it begins."""
    settings = read_pip_settings()
    mounts = [(path, target) for path, target in settings.mounts]
    if settings.text:
        configuration = place.folder / "pip.conf"
        configuration.write_text(settings.text, encoding="utf-8")
        mounts.append((configuration, "/etc/pip.conf"))
    index = torch_index or settings.index
    command = ["buildah", *place.storage(), "build", "--isolation", "chroot", "--pull=never", "--file", str(DOCKERFILE), "--tag", IMAGE]
    command += ["--build-arg", f"BASE={BASE}", "--build-arg", f"TORCH_BUILD={torch_build}"]
    command += ["--build-arg", f"TORCH_INDEX={index}"] if index else []
    command += [word for path, target in mounts for word in ("--volume", f"{path}:{target}:ro")]
    log = place.folder / "build.log"
    done = 0
    with log.open("w", encoding="utf-8") as stream, subprocess.Popen(
        [*command, str(ROOT)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as building:  # fmt: skip
        assert building.stdout is not None
        for line in building.stdout:
            stream.write(line)
            step = re.match(r"(\[\d+/\d+\] )?STEP \d+/\d+: (.*)", line)
            if step:
                done += step[2].startswith("RUN ")
                print(f"    {re.sub(r' +', ' ', step[2])[:130]}", flush=True)
    if building.returncode != 0:
        raise StepFailed(f"build: exit {building.returncode}\n{log.read_text(encoding='utf-8')[-3000:]}")
    written = len(re.findall(r"^RUN ", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE))
    require("RUN steps executed, of those written", done == written, f"{done} of {written}")
    place.figures |= {"run_steps": f"{done} of {written}", "torch_build": torch_build}


def inspect_image(place: Workplace) -> None:
    """User, entry and sizes, as the image states them."""
    image = json.loads(run("inspect", place.podman("image", "inspect", IMAGE)))[0]
    base = json.loads(run("inspect the base", place.podman("image", "inspect", BASE)))[0]
    configuration = image["Config"]
    require("the image's user", configuration["User"] == f"{USER}:{USER}", configuration["User"])
    place.figures |= {"image_megabytes": round(image["Size"] / 1e6), "base_megabytes": round(base["Size"] / 1e6)}
    listing = "cd /opt; du --summarize --block-size=1000000 hoifield hoifield-cache"
    place.figures["parts_megabytes"] = {name: int(size) for size, name in map(str.split, _shell(place, "sizes", listing).splitlines())}


def check_restrictions(place: Workplace) -> None:
    """What the container must not be able to do, and a control for each way of finding out."""
    require("user", (user := _shell(place, "id", "id -u").strip()) == str(USER), user)
    rights = set(re.findall(r"^Cap\w+:\s+(\w+)$", _shell(place, "rights", "cat /proc/self/status"), re.MULTILINE))
    require("capabilities", rights == {"0" * 16}, " ".join(sorted(rights)))
    networks = re.findall(r"^ *(\w+):", _shell(place, "networks", "cat /proc/net/dev"), re.MULTILINE)
    require("networks", networks == ["lo"], " ".join(networks))
    for name, command in CANNOT.items():
        _shell(place, f"cannot {name}", f"if {command} 2> /dev/null; then exit 1; fi")
    _shell(place, "can write to /out and call Python", "touch /out/x && rm /out/x && python -c 'import socket'")
    place.figures |= {"user": int(user), "capabilities": "none", "networks": networks, "refused": len(CANNOT)}


def use_image(place: Workplace) -> None:
    """The commands of the README: doctor, a clip, its fit; then another user's number, and a folder that is not the user's."""
    folder = place.folder
    doctor = run("doctor", place.container("doctor"))
    run("hoifield doctor, the name said twice", place.container("hoifield", "doctor"))
    clip = ["--object", "mug", "--motion", "turn", "--frames", "16", "--size", "64", "--seed", "2", "--stated-focal", "1"]
    run("synth", place.container("synth", "/out/clip", *clip, given="out"))
    shutil.move(folder / "out" / "clip", folder / "in" / "clip")
    before = set(folder.glob("out/.hoifield/*/numba/*/*"))
    given = ["--masks", "/in/clip/masks", "--intrinsics", "/in/clip/intrinsics.txt", "--preset", "draft"]
    run("fit", place.container("fit", "--video", "/in/clip/clip.mp4", *given, "--out", "/out/run"))
    result = json.loads((folder / "out" / "run" / "result" / "result.json").read_text(encoding="utf-8"))
    require("result", result["status"] in ("ok", "degraded"), result["status"])
    require("report", (folder / "out" / "run" / "report" / "report.html").is_file(), "report.html")
    made = [path for path in folder.glob("out/run/**/*") if path.is_file()]
    owners = {path.stat().st_uid for path in made}
    require("owners of what was made", owners == {USER}, owners)
    compiled = set(folder.glob("out/.hoifield/*/numba/*/*")) - before
    require("kernels that had to be compiled again", not compiled, len(compiled))
    refused = run("doctor where /out is another user's", place.container("doctor", user=f"{OTHER_USER}:{OTHER_USER}"), expected=73)
    require("the refusal names a remedy", "--user" in refused, refused.strip().splitlines()[-1])
    run("doctor with --user", place.container("doctor", user=f"{OTHER_USER}:{OTHER_USER}", given="other"))
    place.figures |= {
        "doctor_missing": doctor.count("MISSING"),
        "fit_exit": 0,
        "fit_status": result["status"],
        "fit_reasons": [reason["code"] for reason in result.get("reasons", [])],
        "files_made": len(made),
        "owners": sorted(owners),
        "kernels_compiled_again": len(compiled),
        "kernels_ready": len([path for path in before if path.suffix == ".nbc"]),
    }


def _shell(place: Workplace, name: str, command: str) -> str:
    return run(name, place.container("-c", command, entrypoint="sh"))


if __name__ == "__main__":
    sys.exit(main())
