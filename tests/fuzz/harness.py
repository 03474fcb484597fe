"""Runs inputs in worker processes: each takes many, the parent notices a dead or silent one, names its input, and starts another."""

import contextlib
import ctypes
import faulthandler
import gc
import io
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import pysam

from gpuvc.cli import main
from tests.fuzz.formats import FORMATS, Wrong
from tests.fuzz.seeds import make_seeds

LIMIT_S = 30
ROOM_BYTES = 512 << 20  # address space beyond what a worker has at its start: what a length that lies may ask for is more
PEAK_BYTES = 200 << 20  # resident memory that no input may need beyond that
MEASURED_EVERY = 16
SLOPE_FROM = 1000  # inputs in one process from which growth is judged
MAX_SLOPE_BYTES = 2048  # an input: a leaked buffer, handle or batch is far larger
ERRORS = {1: "InputError", 2: "UsageError", 4: "OutputError"}
_libc = ctypes.CDLL(None)


@dataclass
class Tally:
    """What became of the inputs of one format."""

    name: str
    n_inputs: int = 0
    outcomes: Counter = field(default_factory=Counter)
    messages: Counter = field(default_factory=Counter)
    failures: list = field(default_factory=list)  # (number, what)
    slowest_s: float = 0.0
    peak_bytes: int = 0
    slopes: list = field(default_factory=list)
    n_leftovers: int = 0
    resident: list = field(default_factory=list)  # of the worker that runs: (inputs, bytes)
    elapsed_s: float = 0.0

    def add(self, number, result):
        outcome, problems, seconds, peak, n_leftovers, resident, message = result
        self.n_inputs += 1
        self.outcomes[outcome] += 1
        self.slowest_s = max(self.slowest_s, seconds)
        self.peak_bytes = max(self.peak_bytes, peak)
        self.n_leftovers += n_leftovers
        self.failures += [(number, problem) for problem in problems]
        if message:
            self.messages[outcome, message] += 1
        if resident:
            self.resident.append((self.n_inputs, resident))

    def close_worker(self):
        """Fit how the resident set grew with the inputs, beginning once it has settled."""
        if self.resident and self.resident[-1][0] - self.resident[0][0] >= SLOPE_FROM:
            inputs, resident = np.array(self.resident[len(self.resident) // 4 :], float).T
            slope = float(np.polyfit(inputs, resident, 1)[0])
            self.slopes.append(slope)
            if slope > MAX_SLOPE_BYTES:
                self.failures.append((None, f"memory grows by {slope:.0f} bytes an input (at most {MAX_SLOPE_BYTES})"))
        self.resident = []

    def not_judged(self):
        """A failure where nothing was answered rightly: then nothing was looked at."""
        if self.n_inputs >= 100 and not any(outcome.startswith("right") for outcome in self.outcomes):
            self.failures.append((None, "no input was read to its end"))


def fuzz(shares, start=0, jobs=1, limit_s=LIMIT_S, keep=None, tell=lambda text: None):
    """Tallies of the inputs start to start + n of each format in {format: n}."""
    with tempfile.TemporaryDirectory(prefix="gpuvc-fuzz-") as folder:
        (Path(folder) / "seeds").mkdir()
        seeds = make_seeds(Path(folder) / "seeds")
        _compile(Path(folder), seeds)
        waiting = sorted(shares, key=lambda name: -shares[name] * (8 if name == "cram" else 1))
        tallies = {name: Tally(name) for name in shares}
        running = {}
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    name = waiting.pop(0)
                    worker = _Worker(Path(keep or folder), folder, seeds, name, start, start + shares[name])
                    running[worker.connection] = worker
                for connection in wait(list(running), timeout=0.5):
                    worker = running[connection]
                    try:
                        kind, number, *rest = connection.recv()
                    except (EOFError, ConnectionResetError):
                        del running[connection]
                        worker.process.join()
                        tally = tallies[worker.name]
                        tally.close_worker()
                        tally.elapsed_s += time.monotonic() - worker.began
                        if worker.number is None and worker.process.exitcode == 0:
                            tally.not_judged()
                            continue
                        tally.n_inputs += 1
                        tally.outcomes["failed"] += 1
                        what = worker.killed or f"the process died with status {worker.process.exitcode}"
                        tally.failures.append((worker.number, f"{what}, {worker.phase}\n{worker.last_words()}"))
                        worker.stop()
                        if worker.number is not None and worker.number + 1 < worker.stop_at:
                            fresh = _Worker(worker.folder.parent, folder, seeds, worker.name, worker.number + 1, worker.stop_at)
                            running[fresh.connection] = fresh
                        continue
                    if kind == "done":
                        worker.number = None
                        tallies[worker.name].add(number, rest[0])
                        for problem in rest[0][1]:
                            tell(f"{worker.name} {number}: {problem}")
                    else:
                        worker.number, worker.since, worker.phase = number, time.monotonic(), kind
                for worker in running.values():
                    if worker.number is not None and time.monotonic() - worker.since > limit_s and not worker.killed:
                        worker.killed = f"no answer in {limit_s} s"
                        worker.stop()
        finally:
            for worker in running.values():
                worker.stop()
    return list(tallies.values())


def _compile(folder, seeds):
    """Run every kind of command line on good files, so that kernels are compiled, or loaded, before workers are forked."""
    from tests.fuzz import formats

    done = set()
    place = folder / "compile"
    for arguments, _ in (
        *formats._BAM_COMMANDS,
        (formats._call("--alleles", "given.vcf", "--dragstr-params-path", "tables.txt", "--concordance", "hc"), ()),
    ):
        if tuple(arguments) in done:
            continue
        done.add(tuple(arguments))
        shutil.rmtree(place, ignore_errors=True)
        (place / "out").mkdir(parents=True)
        for name, data in seeds.items():
            (place / name).write_bytes(data)
        said = io.StringIO()
        with contextlib.chdir(place), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main(arguments)
        if code:
            raise SystemExit(f"the good files are refused, with exit code {code}: {' '.join(arguments)}\n{said.getvalue()}")
    shutil.rmtree(place)


class _Worker:
    def __init__(self, place, folder, seeds, name, start, stop_at):
        self.name, self.stop_at = name, stop_at
        self.folder = place / name
        self.number, self.since, self.phase, self.killed = None, 0.0, "", ""
        self.began = time.monotonic()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if place != Path(folder):
            shutil.copytree(Path(folder) / "seeds", place / "seeds", dirs_exist_ok=True)
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(theirs, self.folder, seeds, name, range(start, stop_at)))
        self.process.start()
        theirs.close()

    def stop(self):
        """End the process and those that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.join()

    def last_words(self):
        """The end of what it said, with the stacks of a process that crashed or was silent."""
        return (self.folder / "tmp.err").read_text(errors="replace")[-3000:]


def _work(connection, folder, seeds, name, numbers):
    os.setsid()
    os.chdir(folder)
    out, err = (os.open(f"tmp.{kind}", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND) for kind in ("out", "err"))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdin = open(0, closefd=False)
    sys.stdout = open(1, "w", closefd=False)
    sys.stderr = open(2, "w", closefd=False, errors="backslashreplace", buffering=1)
    faulthandler.enable(file=err)
    Path("tmp").mkdir()
    tempfile.tempdir = str(Path("tmp").absolute())
    os.environ["TMPDIR"] = tempfile.tempdir
    limit = _status("VmSize") + ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.collect()
    gc.freeze()
    run = _Runner(FORMATS[name], seeds, out, err, connection)
    for number in numbers:
        connection.send(("in gpuvc", number))
        connection.send(("done", number, run(number)))
    connection.close()


def _status(field):
    """Bytes of a line of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) << 10
    raise LookupError(field)


class _Runner:
    """One worker's inputs, one after the other."""

    def __init__(self, format, seeds, out, err, connection):
        self._format, self._seeds, self._out, self._err, self._connection = format, seeds, out, err, connection
        self._n = 0
        self._n_open = None

    def __call__(self, number):
        """(outcome, problems, seconds, peak bytes, leftovers, resident bytes or None, kind of message)."""
        case = self._format.case(self._seeds, number)
        _empty(".", keep=("tmp.out", "tmp.err", "tmp"))
        Path("out").mkdir()
        for name, data in case.files.items():
            Path(name).write_bytes(data)
        os.ftruncate(self._out, 0)
        os.ftruncate(self._err, 0)
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before_bytes = _status("VmRSS")
        faulthandler.dump_traceback_later(LIMIT_S - 2, file=self._err)
        began = time.monotonic()
        code = main(case.arguments)
        seconds = time.monotonic() - began
        peak = max(0, _status("VmHWM") - before_bytes)
        sys.stdout.flush()
        said = Path("tmp.err").read_text(errors="backslashreplace")
        problems, message = _said_wrongly(code, said)
        left = _leftovers(code, case)
        problems += [f"left behind with exit code {code}: {name}" for name in left]
        if peak > PEAK_BYTES:
            problems.append(f"{peak >> 20} MB of memory")
        outcome = ERRORS.get(code, "failed")
        self._connection.send(("while it was judged", number))
        try:
            if self._format.before:
                self._format.before(case)
            if code == 0:
                _check_outputs(case)
                outcome = self._format.judge(case)
            elif self._format.refused and code in ERRORS:
                self._format.refused(case, said.splitlines()[-1] if said else "")
        except Wrong as error:
            outcome = "failed"
            problems.append(f"wrong answer: {error}")
        except Exception:
            outcome = "failed"
            problems.append(f"the judge failed: {traceback.format_exc()}")
        faulthandler.cancel_dump_traceback_later()
        gc.collect()
        problems += self._left_open()
        resident = None
        if self._n % MEASURED_EVERY == 0:
            _libc.malloc_trim(0)
            resident = _status("VmRSS")
        self._n += 1
        return outcome if not problems else "failed", problems, seconds, peak, len(left), resident, message

    def _left_open(self):
        """Problems with descriptors, threads and processes that an input left."""
        n_open = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        n_threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
        until = time.monotonic() + 2
        while self._n_open and n_threads > self._n_open[1] and time.monotonic() < until:  # a joined thread ends a moment later
            time.sleep(0.001)
            n_threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
        if self._n_open is None:
            self._n_open = n_open, n_threads
            return []
        found = []
        if n_open > self._n_open[0]:
            found.append(f"{n_open - self._n_open[0]} descriptors left open")
        if n_threads > self._n_open[1]:
            found.append(f"{n_threads - self._n_open[1]} threads left")
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
            found.append("a process left")
        self._n_open = n_open, n_threads
        return found


def _empty(folder, keep=()):
    for path in Path(folder).iterdir():
        if path.name in keep:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _said_wrongly(code, said):
    """(problems, kind of message) of what a command wrote on standard error before it ended with `code`."""
    if code not in (0, *ERRORS):
        return [f"exit code {code}: {said[-3000:]}"], ""
    problems = []
    lines = said.split("\n")[:-1]
    for line in lines:
        if not line.startswith("gpuvc: "):
            problems.append(f"a line that is no message of gpuvc: {line[:300]!r}")
            break
    if code and not lines:
        return ["no message"], ""
    last = lines[-1] if lines else ""
    if not last.isprintable():
        problems.append(f"a message with control characters: {last[:500]!a}")
    if len(last) > 1500:
        problems.append(f"a message of {len(last)} characters: {last[:200]!a}")
    kind = re.sub(r"'[^']*'|\"[^\"]*\"|found .*?, expected", "_", last.removeprefix("gpuvc: "))
    return problems, re.sub(r"\d+", "N", kind)[:100] if code else ""


def _leftovers(code, case):
    """Names of files that should not be there, or of outputs that are missing."""
    there = {str(path) for path in Path().rglob("*") if path.is_file() or path.parent.name == "tmp"}
    expected = {"tmp.out", "tmp.err", *case.files, *(case.outputs if code == 0 else ())}
    for path in there - expected:
        with contextlib.suppress(OSError):
            Path(path).unlink() if Path(path).is_file() else shutil.rmtree(path)
    missing = {f"not {name}" for name in expected - there}
    return sorted((there - expected) | missing)


def _check_outputs(case):
    """Raise Wrong unless the outputs are whole."""
    for name in case.outputs:
        if name.endswith((".vcf", ".vcf.gz")):
            with pysam.VariantFile(name) as file:
                for record in file:
                    if not record.alts and record.qual is not None:
                        raise Wrong("a record with QUAL and without ALT")
        elif not Path(name).stat().st_size:
            raise Wrong(f"{name} is empty")


def table(tallies):
    """The lines of a table, a format each."""
    rows = [
        (
            "format",
            "inputs",
            "right",
            "InputError",
            "UsageError",
            "OutputError",
            "failed",
            "slowest s",
            "peak MB",
            "bytes/input",
            "leftovers",
            "run s",
        )
    ]
    for tally in tallies:
        n_right = sum(n for outcome, n in tally.outcomes.items() if outcome not in (*ERRORS.values(), "failed"))
        slope = ", ".join(f"{slope:.0f}" for slope in tally.slopes) or "-"
        rows.append((
            tally.name, tally.n_inputs, n_right, *(tally.outcomes[name] for name in ERRORS.values()), len(tally.failures),
            f"{tally.slowest_s:.2f}", f"{tally.peak_bytes / 1e6:.0f}", slope, tally.n_leftovers, f"{tally.elapsed_s:.0f}",
        ))  # fmt: skip
    totals = [sum(row[k] for row in rows[1:]) for k in range(1, 7)]
    rows.append(("all", *totals, "", "", "", sum(row[10] for row in rows[1:]), ""))
    widths = [max(len(str(row[k])) for row in rows) for k in range(len(rows[0]))]
    return [
        "  ".join(str(cell).rjust(width) if k else str(cell).ljust(width) for k, (cell, width) in enumerate(zip(row, widths)))
        for row in rows
    ]
