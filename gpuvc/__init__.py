"""Germline small variants from aligned short reads: one answer from CPU and GPU.

    import gpuvc
    gpuvc.call_variants("ref.fa", "sample.bam", "sample.vcf.gz")

Names are loaded when first used, so that `import gpuvc` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what _HOME names, for type checkers and editors
    from gpuvc.api import call_variants as call_variants
    from gpuvc.api import pileup as pileup
    from gpuvc.api import plan_shards as plan_shards
    from gpuvc.api import read_columns as read_columns
    from gpuvc.errors import DeviceError as DeviceError
    from gpuvc.errors import GpuvcError as GpuvcError
    from gpuvc.errors import InputError as InputError
    from gpuvc.errors import OutputError as OutputError
    from gpuvc.errors import UsageError as UsageError
    from gpuvc.evaluation.compare import compare as compare
    from gpuvc.evaluation.evaluate import evaluate as evaluate
    from gpuvc.evidence import look_inside as look_inside
    from gpuvc.explanation import explain as explain
    from gpuvc.io.variants import read_vcf as read_vcf
    from gpuvc.notebook.calls import Calls as Calls
    from gpuvc.notebook.region import Region as Region
    from gpuvc.notebook.sample import Sample as Sample
    from gpuvc.notebook.sample import open_sample as open  # noqa: F401
    from gpuvc.notebook.tables import Table as Table
    from gpuvc.output.vcf_zarr import vcf_to_zarr as vcf_to_zarr
    from gpuvc.settings import Settings as Settings

__version__ = "0.1.0"

_HOME = {
    "call_variants": "api",
    "plan_shards": "api",
    "pileup": "api",
    "read_columns": "api",
    "open": "notebook.sample",
    "Sample": "notebook.sample",
    "Region": "notebook.region",
    "Calls": "notebook.calls",
    "Table": "notebook.tables",
    "read_vcf": "io.variants",
    "vcf_to_zarr": "output.vcf_zarr",
    "look_inside": "evidence",
    "explain": "explanation",
    "evaluate": "evaluation.evaluate",
    "compare": "evaluation.compare",
    "Settings": "settings",
    "GpuvcError": "errors",
    "InputError": "errors",
    "UsageError": "errors",
    "DeviceError": "errors",
    "OutputError": "errors",
}
_OTHER_NAME = {"open": "open_sample"}  # there: a module's own open() is the built-in
__all__ = ["__version__", *(name for name in _HOME if name not in _OTHER_NAME)]  # a star must not take the place of open()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gpuvc' has no attribute {name!r}")
    return getattr(import_module(f"gpuvc.{_HOME[name]}"), _OTHER_NAME.get(name, name))


def __dir__() -> list[str]:
    return sorted({"__version__", *_HOME})
