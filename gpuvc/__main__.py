"""python -m gpuvc"""

from gpuvc.cli import entry

entry()
