"""A bar in notebooks and on terminals; nothing where nobody watches."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from gpuvc.optional import optional


def is_watched() -> bool:
    """Whether a person sees a bar: in a notebook, or standard error is a terminal."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel") or sys.stderr.isatty()


@contextmanager
def progress_bar(wanted: bool | None) -> Iterator[Callable | None]:
    """What `gpuvc.call_variants` takes as `progress`, drawing a bar; or None.

    wanted : bool or None
        None: where somebody watches and tqdm is installed.

    Raises UsageError where a bar is wanted without tqdm.
    """
    if wanted is False or (wanted is None and not (is_watched() and find_spec("tqdm"))):
        yield None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets tqdm says so and draws with letters
        module = optional("tqdm.auto", "a progress bar")
        bar = module.tqdm(total=0, unit="B", unit_scale=True, leave=False, desc="calling")
    with bar:

        def show(done_bytes, total_bytes, contig, pos1):
            bar.total = total_bytes or None
            bar.n = done_bytes
            bar.set_description(f"{contig}:{pos1:,}", refresh=True)

        yield show
