"""`gpuvc bench`: whole commands on a data set of known truth, in turns, and what their costs and calls say."""

import hashlib
import json
import logging
import os
import sys
import time
from itertools import count
from pathlib import Path

from gpuvc.backends import choose_backend, cuda_problem, is_simulated
from gpuvc.bench import measure, peers
from gpuvc.bench.data import bench_data
from gpuvc.bench.figures import figures
from gpuvc.bench.turns import LEAST_REPEATS, Contender, contenders, players
from gpuvc.errors import GpuvcError, OutputError, UsageError
from gpuvc.output.figures import require_matplotlib
from gpuvc.output.files import PartialFile

log = logging.getLogger(__name__)


def run_bench(
    output_dir="bench-output", mb=2.0, reference=None, truth=None, depth=30.0, seed=1, repeats=None, peer_names=None, threads=None,
    kernels=False,
):  # fmt: skip
    """Measure, print the tables on standard output, and write bench.json and bench.png into `output_dir`; returns the result.

    peer_names : str, optional
        "none", or names from `gpuvc.bench.peers.PEERS` with commas between them; default: those that are on PATH.

    Raises
    ------
    UsageError, InputError, OutputError
        As `gpuvc.bench.data.bench_data`; a peer is unknown, or was asked for and is not there; Matplotlib is missing.
    GpuvcError
        Calls depend on threads or on the device; or a program fails.
    """
    from rich.console import Console

    from gpuvc.bench import show

    require_matplotlib("gpuvc bench")
    versions, left_out = choose_peers("none" if kernels else peer_names)
    folder = Path(output_dir).absolute()
    threads = threads or len(os.sched_getaffinity(0))
    data = bench_data(folder, mb, reference, truth, depth, seed, log.info)
    problem = "numba.cuda is its simulator here" if is_simulated() else cuda_problem()
    result = measure.circumstances(versions) | {
        "data": data.about,
        "device": {"name": None if problem else choose_backend("cuda")[0].device, "problem": problem},
        "left_out": left_out,
    }
    name = "kernels" if kernels else "bench"
    if kernels:
        from gpuvc.bench.kernels import measure_kernels

        result["kernels"] = measure_kernels(data, repeats or 5, log.info)
    else:
        field = contenders(threads, problem is None, versions)
        result |= {"threads": threads} | _play(field, data, folder, repeats)
        result |= figures(field, result["turns"], data.n_bases / 1e6)
        log.info("comparing the calls with the truth")
        result["accuracy"] = [row for one in field if (one.threads, one.device) == (1, "cpu") for row in _accuracy(one, data, folder)]
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = show.WIDTH
    show.print_result(result, console)
    _write(folder / f"{name}.json", (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())
    _write(folder / f"{name}.png", show.picture(result))
    console.print(f"Every timing: {folder / name}.json  Picture: {folder / name}.png", soft_wrap=True)
    return result


def choose_peers(names=None):
    """({peer: version} of those to run, {peer: why} of those left out). Raises UsageError for one that was named and cannot run."""
    if names == "none":
        return {}, {}
    wanted = names.split(",") if names else list(peers.PEERS)
    for name in wanted:
        if name not in peers.PEERS:
            raise UsageError(f"option --peers: found {name!r}, expected names among {', '.join(peers.PEERS)}, or none.")
    versions = peers.versions(*wanted)
    missing = [name for name in wanted if name not in versions]
    if missing and names:
        where = "GPUVC_GATK or PATH" if "gatk" in missing else "PATH"
        raise UsageError(f"option --peers: found no {' and no '.join(missing)} on {where}, expected it there. Install it, or leave it out.")
    return versions, dict.fromkeys(missing, "not on PATH")


def _play(field, data, folder, repeats):
    """Run everybody in turns.

    Returns
    -------
    dict
        turns: name → [{"repeat", "startup", "whole"}] with the Cost of each command. commands: name → text. stages: name → [report's].
        compile_s, same_bytes: engine → SHA-256 of its calls.
    """
    calls = folder / "calls"
    try:
        calls.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"folder {calls}: found it cannot be made ({error.strerror}), expected a place to write. Use --output-dir."
        ) from error
    contest = Contest(field, data, calls)
    log.info("warming up: files into memory, kernels compiled if they are not yet")
    first = {(one.caller, one.device): one for one in reversed(field)}
    compile_s = sum(contest.warm_up(one) for one in first.values())
    turn_s = dict.fromkeys((one.name for one in field), 0.0)
    began = time.monotonic()
    for number in count(1):
        playing = players(turn_s, number, time.monotonic() - began, repeats)
        if not playing:
            break
        order = field if number % 2 else field[::-1]  # whoever comes first has the quieter caches
        for one in order:
            if one.name in playing:
                before = time.monotonic()
                contest.turn(one, number)
                turn_s[one.name] += (time.monotonic() - before - turn_s[one.name]) / number
        log.info("repeat %d: %s", number, ", ".join(f"{name} {contest.last_wall_s(name):.1f} s" for name in playing))
    return {
        "turns": contest.turns,
        "commands": {one.name: contest.command_text(one) for one in field},
        "stages": contest.stages,
        "compile_s": round(compile_s, 1),
        "same_bytes": contest.digests,
    }


class Contest:
    """The contenders' costs, and whether those that must agree do."""

    def __init__(self, field, data, calls):
        self._data, self._calls = data, calls
        self.turns = {one.name: [] for one in field}
        self.stages = {one.name: [] for one in field if one.is_ours and (one.threads, one.device) == (1, "cpu")}
        self.digests = {}

    def output(self, one: Contender):
        """The VCF of a contender."""
        return self._calls / output_name(one)

    def _pipeline(self, one, region=None, with_report=False):
        more = ("--no-version", "--QUIET") if one.is_ours else ()
        if with_report:
            more += ("--report", self.output(one).with_suffix(".json"))
        return peers.pipeline(one.caller, self._data, self.output(one), one.threads, region, one.device, more)

    def command_text(self, one):
        """The command that was timed, for a shell in the output folder."""
        commands, out = self._pipeline(one)
        text = " | ".join(" ".join(map(str, words)) for words in commands) + (f" > {out}" if out else "")
        text = text.replace(f"{sys.executable} -m gpuvc", "gpuvc").replace(f"{peers.gatk_launcher()} Haplo", "gatk Haplo")
        return text.replace(f"{self._calls.parent}/", "")

    def _run(self, one, region=None, with_report=False):
        try:
            return measure.run(*self._pipeline(one, region, with_report))
        except RuntimeError as error:
            kind, advice = (GpuvcError, "") if one.is_ours else (UsageError, " Mend it, or leave it out with --peers.")
            said = " ".join(str(error).split("\n"))
            raise kind(f"run of {one.name}: found that it fails, expected calls. {said}{advice}") from error

    def warm_up(self, one):
        """Seconds that compiling took."""
        if one.is_ours:
            return self._report(one)["seconds"]["compile"]
        self._run(one, self._data.one_kb)
        return 0.0

    def _report(self, one):
        """Of a run of its own: a report counts things that calling alone does not need."""
        self._run(one, with_report=True)
        return json.loads(self.output(one).with_suffix(".json").read_text())

    def turn(self, one, number):
        """The command on 1 kb, then the whole of it; its calls are compared with those of the same engine."""
        costs = {"startup": self._run(one, self._data.one_kb), "whole": self._run(one)}
        self.turns[one.name].append({"repeat": number} | {name: cost.as_dict() for name, cost in costs.items()})
        if one.is_ours:
            self.check_bytes(one)
        if one.name in self.stages and number <= LEAST_REPEATS:
            self.stages[one.name].append(self._report(one)["seconds"]["stages"])

    def check_bytes(self, one):
        """Raise GpuvcError when the contender's calls are not, to the byte, those of its engine before."""
        digest = hashlib.sha256(self.output(one).read_bytes()).hexdigest()
        first, expected = self.digests.setdefault(one.caller, (self.output(one).name, digest))
        if digest != expected:
            raise GpuvcError(
                f"calls of {one.name} in {self.output(one)}: found other bytes than in {first} beside it, expected the same "
                "from any number of threads and any device. This is a fault in gpuvc; please report it with both files."
            )

    def last_wall_s(self, name):
        return self.turns[name][-1]["whole"]["wall_s"]


def output_name(one: Contender):
    """Of the contender's VCF, in the folder calls/."""
    return one.name.replace(", ", "-").replace(" ", "") + (".vcf" if one.caller == "freebayes" else ".vcf.gz")


def _accuracy(one, data, folder):
    """[{"name", "kind", counts, precision, recall, f1 with intervals}]: what a caller found, against the truth; records that pass."""
    from gpuvc.evaluation.evaluate import CLASSES, evaluate

    calls = folder / "calls" / output_name(one)
    if one.caller == "freebayes":  # it reports every candidate
        lines = calls.read_text().splitlines(keepends=True)
        calls = calls.with_suffix(".likely.vcf")
        calls.write_text("".join(x for x in lines if x[0] == "#" or float(x.split("\t", 6)[5]) > peers.FREEBAYES_MIN_QUAL))
    found = evaluate(data.truth, calls, data.reference, data.confident)
    return [{"name": one.caller, "kind": kind} | found.scores(kind).as_dict() for kind in CLASSES]


def _write(path, content):
    with PartialFile(path) as file:
        file.write(content)
        file.commit()
