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
    "look_inside": "evidence",
    "explain": "explanation",
    "Settings": "settings",
    "GpuvcError": "errors",
    "InputError": "errors",
    "UsageError": "errors",
    "DeviceError": "errors",
    "OutputError": "errors",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'gpuvc' has no attribute {name!r}")
    return getattr(import_module(f"gpuvc.{_HOME[name]}"), name)


def __dir__():
    return sorted(__all__)
