"""Attempts as Ray tasks: one task, one clip, one process.

Ray places tasks; it neither retries them nor carries anything but orders and endings. What becomes of a clip is judged by the batch alone.

| code       | exit | meaning                                                       |
|------------|------|---------------------------------------------------------------|
| HF-BAT-004 | 69   | Ray is not installed, or too old                              |
| HF-BAT-005 | 78   | a cluster without authentication                              |
| HF-BAT-006 | 69   | no cluster answers                                            |
| HF-BAT-011 | 74   | Ray did not start on this machine                             |
"""

import os
import secrets
import signal
import socket
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from hoifield.batch.judge_attempts import AttemptEnding
from hoifield.batch.run_attempt import GRACE_S, POLL_S, Attempt, AttemptOrder, read_progress, shorten_message, stop_attempts
from hoifield.errors import ConfigurationError, InputOutputFailure, MissingDependency

FIRST_SAFE_VERSION = (2, 52)
"""Earlier ones know no authentication."""
OBJECT_STORE_BYTES = 100_000_000
WAIT_S = 0.2
CONNECT_S = 5.0


class RayEngine:
    """Runs attempts on a Ray cluster, as many as it has GPUs (or cores, without GPUs) now, at most `at_once` where that is given."""

    def __init__(self, address: str | None, at_once: int | None, on_gpus: bool) -> None:
        """Joins the cluster at `address`, or starts one on this machine that listens to this machine alone.

        Raises what `require_ray` and `require_token` raise, and MissingDependency (HF-BAT-006) where no cluster answers.
        """
        require_ray()
        require_token(address)
        _require_listener(address)
        self._ray = _connect(address, at_once)
        self._at_once = at_once
        self._resource = "GPU" if on_gpus and self._ray.cluster_resources().get("GPU") else "CPU"
        task = self._ray.remote(run_order)
        self._task = task.options(num_cpus=1, num_gpus=int(self._resource == "GPU"), max_retries=0, scheduling_strategy="SPREAD")
        self._running: dict[Any, tuple[AttemptOrder, float]] = {}

    def has_room(self) -> bool:
        """Whether the cluster, as large as it is now, has a place free: nothing waits inside Ray."""
        places = int(self._ray.cluster_resources().get(self._resource, 1))
        return len(self._running) < max(1, places if self._at_once is None else min(places, self._at_once))

    def start(self, order: AttemptOrder) -> None:
        """Hands an attempt to Ray."""
        self._running[self._task.remote(order)] = order, time.monotonic()

    def wait(self) -> list[tuple[str, AttemptEnding]]:
        """The attempts that ended, after WAIT_S seconds at most."""
        if not self._running:
            return []
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=WAIT_S)
        return [self._take(task) for task in ready]

    def stop(self) -> list[tuple[str, AttemptEnding]]:
        """Asks all tasks to stop their fits, takes in how they ended, and leaves the cluster."""
        for task in self._running:
            self._ray.cancel(task)
        if self._running:
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=1.5 * GRACE_S)
        ended = [self._take(task) for task in list(self._running)]
        self._ray.shutdown()
        return ended

    def _take(self, task: Any) -> tuple[str, AttemptEnding]:
        """The clip's name and how the attempt ended; a worker or node that died is a death of the attempt."""
        order, started = self._running.pop(task)
        try:
            return order.clip, AttemptEnding.from_json(self._ray.get(task, timeout=0))
        except self._ray.exceptions.RayError as error:
            words = f"{type(error).__name__}: {_first_line(error)}"
            seconds = round(time.monotonic() - started, 3)
            return order.clip, AttemptEnding(-signal.SIGKILL, seconds, read_progress(Path(order.run)), message=words)


def run_order(order: AttemptOrder) -> dict[str, Any]:
    """The task: carries out an attempt and gives its ending, a few kilobytes. When Ray cancels it, the fit may save before it ends."""
    # Ray cancels by an interrupt, which a worker ignores whose batch was started in the background of a shell, as job scripts do
    signal.signal(signal.SIGINT, signal.default_int_handler)
    attempt = Attempt(order, {})
    try:
        while (ending := attempt.poll()) is None:
            time.sleep(POLL_S)
    except BaseException:
        stop_attempts([attempt])
        raise
    return ending.as_json()


def require_ray() -> None:
    """Raises MissingDependency (HF-BAT-004) where the package ray is not installed or knows no authentication. Imports nothing."""
    remedy = "pip install 'hoifield[ray]', or leave --engine out"
    try:
        found = version("ray")
    except PackageNotFoundError as error:
        raise MissingDependency("HF-BAT-004", "the package ray is not installed", remedy) from error
    if tuple(int(part) for part in found.split(".")[:2]) < FIRST_SAFE_VERSION:
        needed = ".".join(str(part) for part in FIRST_SAFE_VERSION)
        raise MissingDependency("HF-BAT-004", f"ray {found} is older than {needed}, which brought authentication", remedy)


def require_token(address: str | None) -> None:
    """Raises ConfigurationError (HF-BAT-005) for an address of a cluster without RAY_AUTH_MODE=token: anybody could run code there."""
    if address is not None and address != "local" and os.environ.get("RAY_AUTH_MODE") != "token":
        cause = f"RAY_AUTH_MODE is not token, and whoever reaches the cluster at {address!r} could run programs on it"
        raise ConfigurationError("HF-BAT-005", cause, "set RAY_AUTH_MODE=token and a token on the cluster and here (docs/how_to/many_clips.md)")


def _connect(address: str | None, at_once: int | None) -> ModuleType:
    """Joins or starts the cluster; gives the package."""
    is_local = address is None or address == "local"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if is_local:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # read when ray is imported: without it Ray listens on every address of a Linux machine, whatever address it is told
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if is_local:
        try:
            ray.init(address="local", include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, num_cpus=at_once, **quiet)
        except Exception as error:  # what Ray raises when it has not started after 30 s
            cause = f"Ray did not start on this machine: {_first_line(error)}"
            raise InputOutputFailure("HF-BAT-011", cause, "run the same command again when the machine is less busy, or leave --engine out") from error
        return ray
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _no_cluster(address, error) from error
    return ray


def _require_listener(address: str | None) -> None:
    """Raises MissingDependency (HF-BAT-006) where nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit() and "/" not in host:
        try:
            socket.create_connection((host, int(port)), CONNECT_S).close()
        except (OSError, OverflowError) as error:
            raise _no_cluster(address, error) from error


def _no_cluster(address: str | None, error: Exception) -> MissingDependency:
    cause = f"no Ray cluster answers at {address!r}: {_first_line(error)}"
    return MissingDependency("HF-BAT-006", cause, "check the address and the token with `ray status`, or leave --address out")


def _first_line(error: Exception) -> str:
    """Of what an error says; Ray's errors say much, or nothing."""
    return shorten_message(str(error).strip().partition("\n")[0])
