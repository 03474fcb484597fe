"""The callers as commands: gpuvc and the open ones it is measured beside, each as its own documentation starts it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pysam

OURS = ("gpuvc", "gpuvc, pileup")  # both engines
PEERS = ("bcftools", "freebayes", "gatk")
FREEBAYES_MIN_QUAL = 1.0  # freebayes reports every candidate; its authors' example keeps QUAL > 1


def pipeline(caller, dataset, output, threads=1, region=None, device="cpu", more=()):
    """The commands of `caller` on a data set, for measure.run, and the path that takes the standard output of the last (or None).

    freebayes writes VCF text to standard output, the others write `output` themselves. `threads`, `device` and `more` (further options)
    are for gpuvc; a data set has `reference` and `reads`, absolute paths.
    """
    if caller in OURS:
        command = [sys.executable, "-m", "gpuvc", "call", "-R", dataset.reference, "-I", dataset.reads, "-O", output]
        command += ["--engine", "pileup"] if caller == "gpuvc, pileup" else []
        return [[*command, "--threads", threads, "--device", device, *(["-L", region] if region else []), *more]], None
    if caller == "gatk":
        command = [gatk_launcher(), "HaplotypeCaller", "-R", _with_dictionary(dataset.reference, Path(output).parent), "-I", dataset.reads]
        return [[*command, "-O", output, "--native-pair-hmm-threads", "1", *(["-L", region] if region else [])]], None
    if caller == "bcftools":
        piled = ["bcftools", "mpileup", "-f", dataset.reference, dataset.reads, *(["-r", region] if region else [])]
        return [piled, ["bcftools", "call", "-mv", "-Oz", "-o", output]], None
    if caller == "freebayes":
        return [["freebayes", "-f", dataset.reference, *(["-r", region] if region else []), dataset.reads]], output
    raise ValueError(f"no caller is called {caller}")


def gatk_launcher():
    """GATK's launcher: what GPUVC_GATK names, or `gatk` on PATH; None without either."""
    return os.environ.get("GPUVC_GATK") or shutil.which("gatk")


def _with_dictionary(reference, work):
    """The reference if its sequence dictionary lies beside it; else linked into the work folder, with its index and one, as GATK asks."""
    if reference.with_suffix(".dict").exists():
        return reference
    linked = (work / reference.name).absolute()
    for path in (linked, linked.with_name(linked.name + ".fai")):
        if not path.exists():
            path.symlink_to(reference.with_name(path.name).absolute())
    if not linked.with_suffix(".dict").exists():
        pysam.dict("-o", str(linked.with_suffix(".dict")), str(linked))
    return linked


def versions(*names):
    """Version of each program among `names` that is on PATH (gatk also where GPUVC_GATK says)."""
    found = {}
    for name in names:
        if name == "gatk":
            if launcher := gatk_launcher():
                said = subprocess.run([launcher, "--version"], capture_output=True, text=True).stdout
                found[name] = said.split("(GATK) v")[1].split()[0]
        elif shutil.which(name):
            # "samtools 1.16.1 ...", "version:  v1.3.6"
            words = subprocess.run([name, "--version"], capture_output=True).stdout.split(maxsplit=2)
            found[name] = words[1].decode().lstrip("v")
    return found
