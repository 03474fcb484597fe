"""Reads → counts per position → candidate alleles. The package bears the name of the function `gpuvc.pileup`, and can be called as that."""

import sys
from types import ModuleType


class _CallablePackage(ModuleType):
    def __call__(self, *arguments, **options):
        """`gpuvc.api.pileup`: importing any part of this package puts the package where the function was."""
        from gpuvc.api import pileup

        return pileup(*arguments, **options)


sys.modules[__name__].__class__ = _CallablePackage
