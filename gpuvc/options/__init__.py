"""Every option of every command, in tables: honoured, accepted without effect on calls, refused by name. One module a command.

GATK's long and short names come first, Parabricks' names are aliases. An option that is in none of the tables is unknown.
Nothing is ever ignored in silence: what cannot change calls is accepted with a note, what could is refused.

    python -m gpuvc.options > docs/options.md
"""

from gpuvc.options.bench import BENCH
from gpuvc.options.call import CALL
from gpuvc.options.compare import COMPARE
from gpuvc.options.demo import DEMO
from gpuvc.options.doctor import DOCTOR
from gpuvc.options.evaluate import EVALUATE
from gpuvc.options.explain import EXPLAIN
from gpuvc.options.pileup import PILEUP

COMMANDS = {command.name: command for command in (CALL, PILEUP, EXPLAIN, EVALUATE, COMPARE, DEMO, BENCH, DOCTOR)}
"""In the order in which they are listed."""
