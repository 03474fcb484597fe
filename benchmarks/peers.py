"""The callers as commands: gpuvc and the open ones it is measured beside, each as its own documentation starts it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.datasets import Unavailable

PEERS = ("bcftools", "freebayes")
FREEBAYES_MIN_QUAL = 1.0  # freebayes reports every candidate; its authors' example keeps QUAL > 1


def pipeline(caller, dataset, output, threads=1, region=None):
    """The commands of `caller` on a data set, for measure.run, and the path that takes the standard output of the last (or None).

    gpuvc and bcftools write `output` themselves; freebayes writes VCF text to standard output.
    """
    if caller == "gpuvc":
        command = [sys.executable, "-m", "gpuvc", "call", "-R", dataset.reference, "-I", dataset.reads, "-O", output]
        return [[*command, "--threads", threads, "--device", "cpu", *(["-L", region] if region else [])]], None
    if caller == "bcftools":
        piled = ["bcftools", "mpileup", "-f", dataset.reference, dataset.reads, *(["-r", region] if region else [])]
        return [piled, ["bcftools", "call", "-mv", "-Oz", "-o", output]], None
    if caller == "freebayes":
        return [["freebayes", "-f", dataset.reference, *(["-r", region] if region else []), dataset.reads]], output
    raise ValueError(f"no caller is called {caller}")


def versions(*names):
    """Version of each program among `names` that is on PATH."""
    found = {}
    for name in names:
        if shutil.which(name):
            # "samtools 1.16.1 ...", "version:  v1.3.6"
            words = subprocess.run([name, "--version"], capture_output=True).stdout.split(maxsplit=2)
            found[name] = words[1].decode().lstrip("v")
    return found


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
