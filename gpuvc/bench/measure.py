"""What a command costs, and the circumstances that every result names."""

import os
import platform
import subprocess
import tempfile
import time
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


def run(pipeline, stdout=None, environment=None):
    """Cost of a pipeline (a list of argument lists, each one's output the next one's input).

    `stdout` is a path for the output of the last command; `environment` holds variables set beside the inherited ones. The commands run in
    the folder that holds the package, so that `python -m gpuvc` is this gpuvc: name files by absolute paths.

    Raises RuntimeError with the last lines of the error stream when a process fails.
    """
    with tempfile.TemporaryFile() as errors, open(stdout or os.devnull, "wb") as last_output:
        began = time.perf_counter()
        processes, source = [], subprocess.DEVNULL
        variables = {**os.environ, **(environment or {})}
        for i, argv in enumerate(pipeline):
            target = last_output if i == len(pipeline) - 1 else subprocess.PIPE
            words = [str(word) for word in argv]
            process = subprocess.Popen(words, stdin=source, stdout=target, stderr=errors, cwd=ABOVE_PACKAGE, env=variables)
            if source is not subprocess.DEVNULL:
                source.close()
            source = process.stdout
            processes.append(process)
        cpu_s, peak_bytes = 0.0, 0
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            cpu_s += usage.ru_utime + usage.ru_stime
            peak_bytes = max(peak_bytes, usage.ru_maxrss * 1024)
        wall_s = time.perf_counter() - began
        if any(process.returncode for process in processes):
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()[-5:]
            raise RuntimeError(" | ".join(" ".join(map(str, argv)) for argv in pipeline) + " failed:\n" + "\n".join(said))
    return Cost(cpu_s, wall_s, peak_bytes)


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
