"""Rules that the container files keep, read from their text; each finding is one line."""

import re
from dataclasses import dataclass
from pathlib import Path

FULL_VERSION = re.compile(r"[\w./-]+:(\d+(\.\d+)+|[a-z]+-\d{8})(-[\w.]+)?@sha256:[0-9a-f]{64}")
"""A tag of one release, and the digest that it had."""
RESTRICTED_SERVICE = (
    "read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]', "network_mode: none", "init: true", "tmpfs: [/tmp]",
    ":/in:ro", ":/out",
)  # fmt: skip
WEAKENING = ("privileged", "cap_add", "read_only: false", "network_mode: host", "pid:", "ipc:", "docker.sock", "seccomp", "ports:")


@dataclass(frozen=True)
class Step:
    """One instruction of a Dockerfile, its continued lines joined."""

    word: str
    rest: str


def read_steps(text: str) -> list[Step]:
    """The instructions in order; comments and empty lines are left out, also between continued lines."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Step(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def find_dockerfile_faults(text: str, root: Path) -> list[str]:
    """Everything that the Dockerfile does against the rules; `root` is the folder that it is built from."""
    steps = read_steps(text)
    return [*_base_faults(steps), *_user_faults(steps), *_step_faults(steps), *_argument_faults(steps), *_copy_faults(steps, root), *_order_faults(steps)]


def _base_faults(steps: list[Step]) -> list[str]:
    """Stages that begin with something else than an earlier stage or a base of one version and digest."""
    faults = []
    bases = {name: value for name, _, value in (step.rest.partition("=") for step in steps if step.word == "ARG")}
    stages: set[str] = set()
    for step in steps:
        if step.word == "FROM":
            source, _, name = step.rest.partition(" AS ")
            image = bases.get(source.strip("${}"), "") if source.startswith("$") else source
            if image not in stages and not FULL_VERSION.fullmatch(image):
                faults.append(f"FROM {source}: not pinned by version and digest")
            stages.add(name)
    return [*faults, *([] if len(stages) > 1 else ["one stage only: what builds stays in the image"])]


def _user_faults(steps: list[Step]) -> list[str]:
    """The user that the last stage has, through the stages that it comes from, has to be a number other than 0."""
    users: dict[str, str] = {}
    user = ""
    name = ""
    for step in steps:
        if step.word == "FROM":
            source, _, name = step.rest.partition(" AS ")
            user = users.get(source, "")
        elif step.word == "USER":
            user = step.rest
        users[name] = user
    return [] if re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", user) else [f"USER {user or 'root'}: not the number of an ordinary user"]


def _step_faults(steps: list[Step]) -> list[str]:
    """Steps that are wrong by themselves."""
    faults = []
    for step in steps:
        line = f"{step.word} {step.rest}"
        if step.word == "ADD":
            faults.append(f"{line}: COPY says what it does")
        if ":latest" in line:
            faults.append(f"{line}: latest is no version")
        if step.word == "ENV" and re.search(r"(TOKEN|PASSWORD|SECRET|KEY)\w*=", line):
            faults.append(f"{line}: a secret would stay in the image")
        if step.word == "RUN" and "apt-get install" in line:
            faults += [f"{line}: without {part}" for part in ("--no-install-recommends", "rm -rf /var/lib/apt/lists/*") if part not in line]
        if step.word == "RUN" and re.search(r"\b(sudo|curl|wget)\b|extra-index-url|trusted-host", line):
            faults.append(f"{line}: fetches by another way than apt and pip's one index")
        if step.word == "RUN" and "pip install" in line and not re.search(r"--no-deps|==", line):
            faults.append(f"{line}: resolves versions anew")
    return faults


def _argument_faults(steps: list[Step]) -> list[str]:
    """Foreign GPU packages are off unless asked for."""
    expected = {f"WITH_{name}" for name in ("TINYCUDANN", "PYTORCH3D", "NERFACC")}
    arguments = {name: value for name, _, value in (step.rest.partition("=") for step in steps if step.word == "ARG")}
    return [f"ARG {name}={arguments.get(name)}: has to be off by default" for name in sorted(expected) if arguments.get(name) != "0"]


def _copy_faults(steps: list[Step], root: Path) -> list[str]:
    """Copied files that are absent."""
    faults = []
    for step in steps:
        if step.word == "COPY" and "--from=" not in step.rest:
            faults += [f"COPY {source}: not there" for source in step.rest.split()[:-1] if not (root / source).exists()]
    return faults


def _order_faults(steps: list[Step]) -> list[str]:
    """What changes often comes after what is installed from the lock."""
    lines = [f"{step.word} {step.rest}" for step in steps]
    lock = [number for number, line in enumerate(lines) if line.startswith("COPY requirements.lock")]
    code = [number for number, line in enumerate(lines) if re.match(r"COPY (\S+ )*hoifield ", line)]
    installed = [number for number, line in enumerate(lines) if line.startswith("RUN") and "without-torch.lock" in line]
    ordered = lock and installed and code and lock[0] < installed[0] < code[0]
    return [] if ordered else ["the lock is not copied and installed before the code"]


def find_compose_faults(text: str) -> list[str]:
    """Services that are less restricted than the README promises."""
    services = dict(re.findall(r"^  (\w+):\n((?:    .*\n|\n|    ?#.*\n)*)", text.partition("services:\n")[2], re.MULTILINE))
    faults = [f"no service {name}" for name in ("cpu", "gpu") if name not in services]
    for name, body in services.items():
        if not re.search(r"extends:\n\s+service: cpu\n", body):
            faults += [f"{name}: without {line}" for line in RESTRICTED_SERVICE if line not in body]
        faults += [f"{name}: {word}" for word in WEAKENING if word in body]
        faults += [f"{name}: image without a tag" for image in re.findall(r"image: (\S+)", body) if not re.fullmatch(r"\w+:(?!latest)\w+", image)]
    return faults


def find_ignored(text: str, wanted: list[str]) -> list[str]:
    """What the Dockerfile copies and the builder would not be given; the ignore file leaves out all that it does not name."""
    lines = text.split()
    if "*" not in lines:
        return ["everything reaches the builder"]
    return [path for path in wanted if f"!{path.removeprefix('./')}" not in lines]
