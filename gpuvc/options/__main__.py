"""docs/options.md on standard output."""

from gpuvc.options.showing import markdown

print(markdown(), end="")
