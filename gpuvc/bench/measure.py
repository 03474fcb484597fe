"""What a command costs, and the circumstances that every result names."""

import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

ABOVE_PACKAGE = Path(__file__).resolve().parents[2]  # of a checkout: the repository


@dataclass(frozen=True)
class Cost:
    """cpu_s: user and system seconds of all processes of the pipeline; peak_bytes: resident memory of the largest of them."""

    cpu_s: float
    wall_s: float
    peak_bytes: int

    def as_dict(self):
        """Plain values, to the millisecond."""
        return {"cpu_s": round(self.cpu_s, 3), "wall_s": round(self.wall_s, 3), "peak_bytes": self.peak_bytes}


def run(pipeline, stdout=None, environment=None):
    """Cost of a pipeline (a list of argument lists, each one's output the next one's input).

    `stdout` is a path for the output of the last command; `environment` holds variables set beside the inherited ones. The commands run in
    the folder that holds the package, so that `python -m gpuvc` is this gpuvc: name files by absolute paths.

    Raises RuntimeError with the last lines of the error stream when a process fails.
    """
    words = [[str(word) for word in argv] for argv in pipeline]
    asked = {"commands": words, "stdout": stdout and str(stdout), "folder": str(ABOVE_PACKAGE)}
    command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py"))]
    variables = {**os.environ, **(environment or {})}
    launcher = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables, start_new_session=True
    )  # fmt: skip
    try:
        told, _ = launcher.communicate(json.dumps(asked))
    except BaseException:  # interrupted: what was started ends, too
        os.killpg(launcher.pid, signal.SIGKILL)
        raise
    if launcher.returncode:
        raise RuntimeError(f"{' | '.join(map(' '.join, words))} could not be started")
    found = json.loads(told)
    failed = found.pop("failed")
    if failed is not None:
        raise RuntimeError(f"{' | '.join(map(' '.join, words))} failed:\n{failed}")
    return Cost(**found)


def circumstances(versions):
    """Machine, versions (`versions` of the peers beside our own), commit and date, as every result file begins."""
    ours = {name: metadata.version(name) for name in ("gpuvc", "numpy", "numba", "pysam") if _is_installed(name)}
    return {
        "machine": {"cpu": _cpu_model(), "cores": os.cpu_count(), "memory_gb": round(_memory_bytes() / 2**30), "system": platform.system()},
        "versions": {"python": platform.python_version()} | ours | versions,
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def _is_installed(name):
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _commit():
    """Short hash of the commit checked out, with a + when gpuvc or its kernels differ from it; "unknown" outside a checkout."""
    git = ["git", "-C", str(ABOVE_PACKAGE)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown"
    # The repository of the folder above an installed package is somebody else's.
    if head.returncode or not (ABOVE_PACKAGE / "kernels").is_dir():
        return "unknown"
    changed = subprocess.run([*git, "status", "--porcelain", "--", "gpuvc", "kernels"], capture_output=True, text=True).stdout
    return head.stdout.strip() + ("+" if changed else "")
