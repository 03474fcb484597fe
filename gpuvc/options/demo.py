"""Options of `gpuvc demo`."""

from gpuvc.options.call import CALL_OPTIONS
from gpuvc.options.kinds import FILES, Command, Option, Text

DEMO_OPTIONS = (
    Option(FILES, ("--output-dir",), "output_dir", Text("FOLDER"), "made if it is not there (default: demo-output)"),
    *(option for option in CALL_OPTIONS if option.to in ("device", "threads")),
)

DEMO = Command(
    "demo",
    "gpuvc demo [options]",
    "call the human reads that come with gpuvc",
    "Call the 100 kb of human reads (NA12878, 50x) that come with gpuvc, and compare with GIAB's truth.",
    DEMO_OPTIONS,
    """\
output files, in --output-dir:
  NA12878.vcf.gz      and its index .tbi
  NA12878.report.json report of the run, and NA12878.report.html where gpuvc[report] is installed""",
)
