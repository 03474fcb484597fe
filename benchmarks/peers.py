"""The callers as commands (`gpuvc.bench.peers`), and RTG Tools, which judge their calls."""

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.datasets import Unavailable
from gpuvc.bench.peers import FREEBAYES_MIN_QUAL, OURS, PEERS, pipeline, versions

__all__ = ["FREEBAYES_MIN_QUAL", "OURS", "PEERS", "pipeline", "rtg_command", "rtg_version", "versions"]


def rtg_command():
    """Words that start RTG Tools: `rtg` on PATH, or the jar that RTG_JAR names with its libraries in ../lib. Raises Unavailable."""
    if jar := os.environ.get("RTG_JAR"):
        jar = Path(jar).resolve()
        return ["java", "-Xmx2g", "-XX:+UseSerialGC", "-cp", f"{jar}:{jar.parent.parent / 'lib'}/*", "com.rtg.RtgTools"]
    if shutil.which("rtg"):
        return ["rtg"]
    raise Unavailable("RTG Tools judge the calls: put rtg on PATH, or set RTG_JAR to rtg-tools.jar")


def rtg_version(rtg):
    """The version that RTG Tools, started by these words, give themselves."""
    product = subprocess.run([*rtg, "version"], capture_output=True, text=True).stdout.splitlines()[0]
    return product.rsplit(" ", 1)[-1]
