"""The tables of docs/gpu.md, each written by the command that measures it."""

import re

from benchmarks.datasets import REPOSITORY

PAGE = REPOSITORY / "docs" / "gpu.md"


def show(name, table):
    """Put the table between <!-- begin NAME --> and <!-- end NAME --> of the page."""
    block = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    page, n = block.subn(lambda found: f"{found[1]}{table}\n{found[2]}", PAGE.read_text())
    if n != 1:
        raise ValueError(f"{PAGE} has {n} places for {name}, expected 1")
    PAGE.write_text(page)
    print(f"wrote {PAGE}")
