"""Libraries that only some installations have."""

from importlib import import_module
from types import ModuleType

from gpuvc.errors import UsageError


def optional(module: str, purpose: str, extra: str = "notebook") -> ModuleType:
    """The module, imported. Raises UsageError where it is not installed; `purpose` ends "expected it for ..."."""
    try:
        return import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise UsageError(
            f"Python library {library}: found none, expected it for {purpose}. Install it: pip install 'gpuvc[{extra}]'"
        ) from error
