"""Options in, exit code out; each command is a few lines around `api`.

Nothing heavy is imported before a command needs it: --help must not wait for NumPy, Numba, pysam or rich.
"""

import errno
import os
import shlex
import signal
import sys
import threading
import traceback
from contextlib import contextmanager, redirect_stdout

from gpuvc.errors import GpuvcError, InputError, OutputError, UsageError
from gpuvc.options import COMMANDS
from gpuvc.options.call import settings_and_rest
from gpuvc.options.others import NOTED, REFUSED
from gpuvc.options.reading import did_you_mean, read_options
from gpuvc.options.showing import exit_codes_text, help_text

_LEAST_ADDRESS_SPACE = 640 << 20  # bytes; 595 MB measured for one thread on the bundled reads, 604 for two
_WINDOW_BP = 1 << 20  # positions that `gpuvc pileup` holds at a time: about 120 MB of counts

_COMMAND_LINES = "\n".join(f"  {command.name:<8} {command.summary}" for command in COMMANDS.values())
_ABOUT = f"""\
usage: gpuvc COMMAND [options]

Germline small variants from aligned short reads.

  gpuvc call -R ref.fa -I sample.bam -O sample.vcf.gz

commands:
{_COMMAND_LINES}

  --version, --help; gpuvc COMMAND --help lists a command's options

{exit_codes_text()}
"""


def entry():
    """The console script."""
    _open_closed_streams()
    sys.exit(main())


def _open_closed_streams():
    """Stand-ins for standard streams that the caller closed: the next file opened would get their number, and what is printed.

    What reads or writes them fails (Bad file descriptor), but for words on standard error.
    """
    for fd, name, flags, mode in ((0, "stdin", os.O_WRONLY, "r"), (1, "stdout", os.O_RDONLY, "w"), (2, "stderr", os.O_WRONLY, "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, flags)  # gets the lowest free number, which is `fd`
            setattr(sys, name, open(fd, mode, closefd=False))


def main(arguments=None) -> int:
    """Run one command line; returns its exit code (see EXIT_CODES), after one line on standard error if it failed."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _termination_raises(), redirect_stdout(_GuardedOutput(sys.stdout)):
            code = _run(arguments)
            sys.stdout.flush()
            return code
    except GpuvcError as error:
        code, text = _refusal_of_machine(error.__cause__) or (error.exit_code, str(error))
        _say(text)
        if isinstance(error, OutputError):
            _drop_unwritable_output()
        return code
    except MemoryError as error:
        _say(_OUT_OF_MEMORY.format(f" ({error})" if str(error) else ""))
        return 137
    except KeyboardInterrupt:
        _say("interrupted; outputs that were not whole yet are removed.")
        return 130
    except _Terminated:
        _say("terminated; outputs that were not whole yet are removed.")
        return 143
    except BrokenPipeError:
        _drop_unwritable_output()
        return 141
    except Exception as error:
        refusal = _refusal_of_machine(error)
        if refusal:
            code, text = refusal
            _say(text)
            return code
        traceback.print_exc()
        _say("this is a fault in gpuvc. Please report it with the lines above, the command, and the output of: gpuvc doctor")
        return 70


def _refusal_of_machine(error):
    """(exit code, message) for what the machine refuses to anyone; else None."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return 1, f"open files: found the limit of {limit} reached, expected room for every input and output. Raise it: ulimit -n 4096"
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        name = os.fsdecode(error.filename or "")
        return 2, f"path {name[:40]}...: found a name of {len(name)} letters, expected one that the file system takes."
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return 137, _OUT_OF_MEMORY.format("")
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return 137, _OUT_OF_MEMORY.format(" (no thread can be started)")
    return None


_OUT_OF_MEMORY = "out of memory{}. Use fewer --threads or smaller --shard-bytes."


class _GuardedOutput:
    """Standard output; that it cannot be written is an OutputError, whoever prints. A reader that went away stays a BrokenPipeError."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        return self._try(self._stream.write, text)

    def flush(self):
        self._try(self._stream.flush)

    @staticmethod
    def _try(function, *arguments):
        try:
            return function(*arguments)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError.of_standard_output(error) from error


def _drop_unwritable_output():
    """Let what standard output does not take go nowhere: Python would complain once more when it flushes at exit, and exit with 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _run(arguments):
    command, *rest = arguments or [""]
    if command in ("--version", "version"):
        return _print_version()
    if command in ("", "-h", "--help", "help"):
        (sys.stdout if command else sys.stderr).write(_ABOUT)
        return 0 if command else 2
    if command not in COMMANDS:
        hint = f" Did you mean gpuvc call {command} ...?" if command.startswith("-") else did_you_mean(command, COMMANDS)
        raise UsageError(f"command {command!r}: found no such command, expected {', '.join(COMMANDS)}.{hint}")
    if {"-h", "--help"} & set(rest):
        sys.stdout.write(help_text(COMMANDS[command]))
        return 0
    if "--version" in rest:
        return _print_version()
    _check_address_space()
    return _RUN[command](rest)


def _check_address_space():
    """Raise MemoryError where a limit (ulimit -v) leaves less room than compiled kernels need, whose loader aborts without a word."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < _LEAST_ADDRESS_SPACE:
        least = _LEAST_ADDRESS_SPACE >> 20
        raise MemoryError(f"found {limit >> 20} MB of address space, expected at least {least} MB: ulimit -v unlimited")


def _print_version():
    from gpuvc import __version__

    print(f"gpuvc {__version__}")
    return 0


def _call(arguments):
    request = read_options(arguments, COMMANDS["call"], others=(*NOTED, *REFUSED))
    settings, rest = settings_and_rest(request.values)
    lists = [path for path in rest["alignments"] if path.endswith(".list")]
    rest["alignments"] = _expand_lists(rest["alignments"])
    quiet = rest.pop("quiet", False)
    with _logging(rest.pop("verbosity", "INFO")) as log:
        for note in request.notes:
            log.warning(note)
        command_line = shlex.join(["gpuvc", "call", *arguments]) if rest.pop("add_command_line", True) else None
        from gpuvc.api import call_variants
        from gpuvc.output.files import check_places

        outputs = {name: rest[name] for name in ("output", "report", "bam_output", "assembly_region_out") if name in rest}
        # The files that `call_variants` does not know of; it looks at the others.
        check_places([*(("--input", path) for path in lists), *(("--arguments_file", path) for path in request.files)], **outputs)
        _silence_htslib()
        with _progress(quiet) as progress:
            summary = call_variants(**rest, settings=settings, command_line=command_line, progress=progress)
        if not quiet:
            log.info("%s: %s", summary, rest["output"])
    return 0


def _pileup(arguments):
    request = read_options(arguments, COMMANDS["pileup"])
    settings, rest = settings_and_rest(request.values)
    alignments, reference = _expand_lists(rest.pop("alignments")), rest.pop("reference")
    interval, output = rest.pop("interval", None), rest.pop("output", "-")
    quiet = rest.pop("quiet", False)
    with _logging(rest.pop("verbosity", "INFO")):
        from gpuvc.api import pileup
        from gpuvc.io.alignments import open_alignments
        from gpuvc.io.bed import resolve_intervals
        from gpuvc.io.fasta import open_reference
        from gpuvc.output.counts import open_table

        _silence_htslib()
        genome = open_reference(reference)
        with open_alignments(alignments, reference=reference) as source:
            contigs = source.contigs
        targets = resolve_intervals([interval] if interval else [], contigs=contigs)
        windows = [
            (contig_id, start, min(start + _WINDOW_BP, last))
            for contig_id, rows in enumerate(targets)
            for first, last in rows.tolist()
            for start in range(first, last, _WINDOW_BP)
        ]
        with open_table(output) as table, _progress(quiet) as progress:
            for n, (contig_id, start, end) in enumerate(windows, 1):
                name = contigs.names[contig_id]
                counts = pileup(reference, alignments, f"{{{name}}}:{start + 1}-{end}", settings=settings, **rest)
                table.add(name, counts, genome.window(name, start, end))
                if progress:
                    progress(n, len(windows), name, end)
            table.commit()
    return 0


def _explain(arguments):
    request = read_options(arguments, COMMANDS["explain"], others=(*NOTED, *REFUSED), words=("place",))
    if "place" not in request.values:
        raise UsageError("place: found none, expected contig:position, such as gpuvc explain chr20:10117 -R ref.fa -I sample.bam.")
    settings, rest = settings_and_rest(request.values)
    rest["alignments"] = _expand_lists(rest["alignments"])
    as_json = rest.pop("as_json", False)
    with _logging(rest.pop("verbosity", "INFO")) as log:
        for note in request.notes:
            log.warning(note)
        from gpuvc.explanation import explain

        _silence_htslib()
        explanation = explain(rest.pop("reference"), rest.pop("alignments"), rest.pop("place"), settings=settings, **rest)
        if as_json:
            import json

            print(json.dumps(explanation, indent=1, allow_nan=False))
        else:
            from rich.console import Console

            from gpuvc.output.explained import print_explanation

            print_explanation(explanation, Console(highlight=False))
    return 0


def _evaluate(arguments):
    request = read_options(arguments, COMMANDS["evaluate"], words=("calls",))
    rest = request.values
    if "calls" not in rest:
        raise UsageError("calls: found none, expected a VCF or BCF, such as gpuvc evaluate --truth truth.vcf.gz -R ref.fa calls.vcf.gz.")
    with _logging(rest.pop("verbosity", "INFO")) as log:
        from rich.console import Console

        from gpuvc.evaluation.cut import check_cut, cut_wrong_loci
        from gpuvc.evaluation.evaluate import evaluate
        from gpuvc.evaluation.show import check_outputs, print_evaluation, write_evaluation

        _silence_htslib()
        prefix, plot, folder = rest.pop("output_prefix", None), "." + rest.pop("plot_format", "png"), rest.pop("cut", None)
        check_cut(folder, rest.get("alignments"))
        if prefix:
            check_outputs(prefix, plot, [rest["truth"], rest["calls"]])
        evaluation = evaluate(**rest)
        if prefix:
            write_evaluation(evaluation, prefix, plot)
        if folder is not None:
            names = cut_wrong_loci(evaluation, rest["alignments"], folder)
            log.info("%d wrong %s cut into %s", len(names), "locus" if len(names) == 1 else "loci", folder)
        print_evaluation(evaluation, Console(highlight=False))
    return 0


def _compare(arguments):
    request = read_options(arguments, COMMANDS["compare"], words=("a", "b"))
    rest = request.values
    if "b" not in rest:
        found = rest.get("a", "none")
        raise UsageError(f"call sets: found {found}, expected two, such as gpuvc compare A.vcf.gz B.vcf.gz -R ref.fa.")
    with _logging(rest.pop("verbosity", "INFO")):
        from rich.console import Console

        from gpuvc.evaluation.compare import compare
        from gpuvc.evaluation.show import print_comparison, write_comparison

        prefix = rest.pop("output_prefix", None)
        comparison = compare(**rest)
        if prefix:
            write_comparison(comparison, prefix)
        print_comparison(comparison, Console(highlight=False))
    return 0


def _demo(arguments):
    request = read_options(arguments, COMMANDS["demo"])
    with _logging("INFO"):
        from gpuvc.demo import run_demo

        _silence_htslib()
        run_demo(**request.values)
    return 0


def _bench(arguments):
    request = read_options(arguments, COMMANDS["bench"])
    with _logging("INFO"):
        from gpuvc.bench.run import run_bench

        _silence_htslib()
        run_bench(**request.values)
    return 0


def _doctor(arguments):
    read_options(arguments, COMMANDS["doctor"])
    from gpuvc.doctor import examine

    for line in examine():
        print(line)
    return 0


_RUN = {
    "call": _call, "pileup": _pileup, "explain": _explain, "evaluate": _evaluate, "compare": _compare, "demo": _demo, "bench": _bench,
    "doctor": _doctor,
}  # fmt: skip


def _expand_lists(paths):
    """Inputs, each .list replaced by the paths in it."""
    expanded = []
    for path in paths:
        if not path.endswith(".list"):
            expanded.append(path)
            continue
        try:
            with open(path) as lines:
                named = [line.strip() for line in lines if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"inputs in {path}: found it unreadable ({error}), expected paths, one a line.") from error
        if not named:
            raise InputError(f"inputs in {path}: found none, expected paths, one a line.")
        expanded += named
    return expanded


def _say(text):
    """One line on standard error. What a damaged file holds, and a message repeats, must not break the line or steer a terminal."""
    shown = "".join(letter if letter.isprintable() else " " if letter == "\n" else ascii(letter)[1:-1] for letter in text)
    print(f"gpuvc: {shown}", file=sys.stderr)


def _silence_htslib():
    """htslib's own lines on standard error repeat, in other words, what our errors say."""
    import pysam

    pysam.set_verbosity(0)


@contextmanager
def _logging(verbosity):
    """The log of the package, on standard error, one line a message."""
    import logging

    log = logging.getLogger("gpuvc")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("gpuvc: %(message)s"))
    before = log.level
    log.addHandler(handler)
    log.setLevel(verbosity)
    try:
        yield log
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


@contextmanager
def _progress(quiet):
    """A callable (done_bytes, total_bytes, contig, pos1) that draws a bar on a terminal; None where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def show(done_bytes, total_bytes, contig, pos1):
            bar.update(task, completed=done_bytes, total=total_bytes or None, description=f"{contig}:{pos1:,}")

        yield show


class _Terminated(BaseException):
    """SIGTERM arrived. Not an Exception: nothing between here and `main` may take it for a fault."""


@contextmanager
def _termination_raises():
    """Turn SIGTERM into an exception, so that every `with` on the way removes its temporary files."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers; its owner decides then
        return

    def terminate(number, frame):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the tidying
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
