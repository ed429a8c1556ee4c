"""A program that stands in for `hoifield fit`: it takes the lock, commits checkpoints and writes a result, and dies as its clip says.

A clip is a JSON file: `steps` checkpoints `pause_s` apart, then an ending `end`. `lives` says how its first lives end: each is the number of
checkpoints after which the process kills itself, or an exit code as "exit 74".
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from hoifield.errors import HoifieldError
from hoifield.runlog.run_folder import RunFolder
from hoifield.runlog.stop_request import StopRequest
from hoifield.storage import append_json_line, commit_directory, is_committed, read_json_lines

QUALITY = {"mask_iou_hand": 0.93, "mask_iou_object": 0.91, "psnr_db": 27.5, "penetration_mean_mm": 0.4, "contact_fraction": 0.8}
EXIT_CODES = {"ok": 0, "degraded": 0, "refused": 65}


def write_outputs(run: RunFolder, status: str) -> None:
    reasons = [] if status == "ok" else [{"code": "HF-QLT-004", "message": "the object is far off in 20 % of the frames", "frames": []}]
    document = json.dumps({"status": status, "reasons": reasons, "quality": QUALITY})
    commit_directory(run.path / "result", lambda folder: (folder / "result.json").write_text(document))
    commit_directory(run.path / "report", lambda folder: (folder / "report.html").write_text("report"))
    append_json_line(run.path / "metrics.jsonl", {"finished": True})


def fit(video: Path, out: Path) -> int:
    plan = json.loads(video.read_text())
    with RunFolder.open(out, {"clip": str(video)}) as run, StopRequest() as stop:
        if is_committed(out / "result") and is_committed(out / "report"):
            return EXIT_CODES[json.loads((out / "result" / "result.json").read_text())["status"]]
        life = len(read_json_lines(out / "metrics.jsonl"))
        append_json_line(out / "metrics.jsonl", {"life": life})
        if plan.get("children"):
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        death = plan["lives"][life] if life < len(plan.get("lives", ())) else None
        if isinstance(death, str):
            sys.stderr.write(plan.get("error", "HF-OUT-003: the disk failed\n  try: again\n"))
            return int(death.split()[1])
        latest = run.latest_checkpoint()
        first = int(latest.name) + 1 if latest is not None else 0
        for count, step in enumerate(range(first, plan["steps"])):
            if death == count:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(plan.get("pause_s", 0.0))
            run.commit_checkpoint(step, lambda folder, at=step: (folder / "model").write_text(str(at)))
            stop.raise_if_requested()
        write_outputs(run, plan["end"])
    return EXIT_CODES[plan["end"]]


if __name__ == "__main__":
    options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    try:
        sys.exit(fit(Path(options["--video"]), Path(options["--out"])))
    except HoifieldError as error:
        sys.stderr.write(f"{error.code}: {error.cause}\n  try: {error.remedy}\n")
        sys.exit(error.exit_code)
