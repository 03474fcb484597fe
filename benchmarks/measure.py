"""What commands cost (`gpuvc.bench.measure`), and where the results of these benchmarks go."""

import json

from benchmarks.datasets import REPOSITORY
from gpuvc.bench.measure import Cost, circumstances, run

__all__ = ["RESULTS", "Cost", "circumstances", "run", "write"]

RESULTS = REPOSITORY / "benchmarks" / "results"


def write(path, result):
    """Write one result file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name("unfinished-" + path.name)
    unfinished.write_text(json.dumps(result, indent=1) + "\n")
    unfinished.replace(path)
    print(f"wrote {path}")
