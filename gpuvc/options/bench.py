"""Options of `gpuvc bench`."""

from gpuvc.options.kinds import MACHINE, Command, Flag, Integer, Number, Option, Text

DATA, MEASURING = "the data set", "measuring"
BENCH_OPTIONS = (
    Option(DATA, ("--mb",), "mb", Number(0.02, 10_000, metavar="MB"), "megabases of it (default: 2)"),
    Option(
        DATA,
        ("--reference", "-R"),
        "reference",
        Text("FASTA"),
        "where its sequence comes from (default: the 1.1 Mb of chromosome 20 that come with gpuvc, again and again with other reads)",
    ),
    Option(DATA, ("--truth",), "truth", Text("VCF"), "variants of one sample on that reference, for its haplotypes; with its index"),
    Option(DATA, ("--depth",), "depth", Number(1, 1000), "reads over each base (default: 30)"),
    Option(DATA, ("--seed",), "seed", Integer(), "another makes other reads (default: 1)"),
    Option(
        MEASURING,
        ("--repeats",),
        "repeats",
        Integer(1, 1000),
        "times that every caller runs (default: as many as fit into seven minutes, at least three, slow callers no more than that)",
    ),
    Option(
        MEASURING,
        ("--peers",),
        "peer_names",
        Text("NAMES"),
        "of bcftools, freebayes, gatk, with commas; or none (default: those on PATH; GATK also where GPUVC_GATK says)",
    ),
    Option(MEASURING, ("--kernels",), "kernels", Flag(), "measure each kernel alone instead, beside what this machine can do"),
    Option(
        MEASURING, ("--output-dir",), "output_dir", Text("FOLDER"), "made if it is not there; keeps the data set (default: bench-output)"
    ),
    Option(MACHINE, ("--threads",), "threads", Integer(1, 1024), "what all cores are (default: those that this process may use)"),
)

BENCH = Command(
    "bench",
    "gpuvc bench [options]",
    "measure gpuvc on this machine, beside its peers",
    """\
Make reads of two real haplotypes, call them with gpuvc on one core, on all and on the GPU, and with the other callers that are installed,
in turns; print speeds, ratios with their spread, seconds a stage and accuracy. Two megabases take some eight minutes on two cores.""",
    BENCH_OPTIONS,
    """\
output files, in --output-dir:
  bench.json, bench.png       every timing; the picture (kernels.json, kernels.png with --kernels)
  data/, calls/               the data set, kept for the next run; what each caller called last""",
)
