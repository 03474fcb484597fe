"""The run report: what went in, what was left out and why, what came out, and what it took. JSON; `page` and `multiqc` make more of it."""

import json
import os
import platform
import resource
import sys
from datetime import UTC, datetime
from functools import cache
from importlib import metadata

from gpuvc.errors import UsageError
from gpuvc.output.multiqc import general_content, reads_content, reads_file
from gpuvc.settings import Settings
from gpuvc.timing import Clock


def report_paths(paths):
    """list[str]: where the reports of these names are written, which is a second file more for each that is for MultiQC."""
    return [path for name in map(os.fspath, paths) for path in (name, *([reads_file(name)] if name.endswith("_mqc.json") else []))]


def report_files(paths):
    """[(path, function of the report that makes the file's bytes)] for the paths of reports, by their suffixes.

    Raises
    ------
    UsageError
        An unknown suffix, or a page asked for without the libraries that it needs.
    """
    files = []
    for path in map(os.fspath, paths):
        if path.endswith("_mqc.json"):
            files += [(path, general_content), (reads_file(path), reads_content)]
        elif path.endswith(".json"):
            files.append((path, report_json))
        elif path.endswith(".html"):
            from gpuvc.output import page

            page.require_libraries(f"option --report {path}")
            files.append((path, page.page))
        else:
            raise UsageError(f"option --report: found {path}, expected a name that ends in .html, _mqc.json or .json.")
    return files


def run_report(
    *,
    command_line,
    settings: Settings,
    reference,
    alignments,
    output,
    samples,
    device,
    device_reason,
    threads,
    started_at: datetime,
    reads_seen,
    reads_used,
    reads_filtered: dict,
    bases,
    targets_bp,
    candidate_loci,
    regions,
    records_by_type: dict,
    records_by_filter: dict,
    clock: Clock,
    compile_s,
    statistics=None,
    evaluation=None,
) -> dict:
    """The report as plain values.

    reads_filtered
        Filter name → reads it dropped; each read counts under the first filter that drops it, so that
        reads_seen = reads_used + their sum.
    bases
        Of the reads used.
    alignments
        Path → bytes of each input; None for a size that cannot be known (standard input, URL).
    started_at
        With time zone; the report ends the run.
    clock
        Seconds per stage, and counts (bytes, shards) under the names its users gave them.
    statistics, evaluation : dict, optional
        From `gpuvc.output.statistics` and `gpuvc.evaluate`.
    """
    from gpuvc import __version__

    ended_at = datetime.now(UTC)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "version": __version__,
        "versions": _versions(),
        "command": command_line,
        "started": started_at.isoformat(timespec="milliseconds"),
        "ended": ended_at.isoformat(timespec="milliseconds"),
        "settings": settings.as_dict(),
        "inputs": {
            "reference": str(reference),
            "alignments": [{"path": str(p), "bytes": n} for p, n in alignments.items()],
            "samples": list(samples),
        },
        "output": output and str(output),
        "device": {"name": device, "reason": device_reason},
        "threads": threads,
        "reads": {"seen": reads_seen, "used": reads_used, "bases": bases, "filtered": dict(reads_filtered)},
        "targets_bp": targets_bp,
        "candidate_loci": candidate_loci,
        "regions": regions,
        "records": {
            "total": sum(records_by_type.values()),
            "by_type": dict(records_by_type),
            "by_filter": dict(records_by_filter),
        },
        "seconds": {
            "wall": round((ended_at - started_at).total_seconds(), 6),
            "cpu": round(usage.ru_utime + usage.ru_stime, 6),
            "compile": round(compile_s, 6),
            "stages": {name: {"wall": round(wall, 6), "cpu": round(clock.cpu_s[name], 6)} for name, wall in clock.wall_s.items()},
        },
        "counts": dict(clock.counts),
        "peak_memory_bytes": peak_memory_bytes(),
        **({"statistics": statistics} if statistics else {}),
        **({"evaluation": evaluation} if evaluation else {}),
    }


@cache
def _versions():
    """Of what a run stands on."""
    import pysam

    libraries = {name: metadata.version(name) for name in ("numpy", "numba", "pysam")}
    return {"python": platform.python_version()} | libraries | {"htslib": pysam.version.__htslib_version__}


def report_json(report: dict) -> bytes:
    """The report as an indented JSON text."""
    return (json.dumps(report, indent=2, default=_plain_number, allow_nan=False) + "\n").encode()


def peak_memory_bytes() -> int:
    """The most memory this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def variant_type(ref: str, alts) -> str:
    """SNV, MNV, insertion, deletion, mixed (alternates of several types) or none; a replacement counts by its change of length."""
    types = {_allele_type(ref, alt) for alt in alts if alt[0] not in "*<"}
    if not types:
        return "none"
    return types.pop() if len(types) == 1 else "mixed"


def _allele_type(ref, alt):
    if len(ref) == len(alt):
        return "SNV" if sum(r != a for r, a in zip(ref, alt)) == 1 else "MNV"
    return "insertion" if len(alt) > len(ref) else "deletion"


def _plain_number(value):
    """NumPy scalars as the Python numbers they hold."""
    return value.item()
