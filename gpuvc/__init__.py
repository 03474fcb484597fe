"""Germline small variants from aligned short reads: one answer from CPU and GPU.

    import gpuvc
    gpuvc.call_variants("ref.fa", "sample.bam", "sample.vcf.gz")

Names are loaded when first used, so that `import gpuvc` costs nothing.
"""

from importlib import import_module

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
    "look_inside": "evidence",
    "explain": "explanation",
    "evaluate": "evaluation.evaluate",
    "Settings": "settings",
    "GpuvcError": "errors",
    "InputError": "errors",
    "UsageError": "errors",
    "DeviceError": "errors",
    "OutputError": "errors",
}
_OTHER_NAME = {"open": "open_sample"}  # there: a module's own open() is the built-in
__all__ = ["__version__", *(name for name in _HOME if name not in _OTHER_NAME)]  # a star must not take the place of open()


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'gpuvc' has no attribute {name!r}")
    return getattr(import_module(f"gpuvc.{_HOME[name]}"), _OTHER_NAME.get(name, name))


def __dir__():
    return sorted({"__version__", *_HOME})
