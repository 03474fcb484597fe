"""Counts per position equal those of `samtools mpileup`, for every BAM and CRAM at hand."""

import hashlib

import pytest

from benchmarks import pileup_equality
from benchmarks.datasets import REPOSITORY

DATA = REPOSITORY.parent / "shared" / "data"
FIRST_BP = 300_000  # whole but for the two sets of 2 Mb; `python -m benchmarks.pileup_equality` compares all of them


def distinct_inputs():
    """(reads, reference) of every file, one of several with the same content."""
    inputs = {hashlib.sha256(path.read_bytes()).digest(): (path, reference) for path, reference in pileup_equality.inputs(DATA)}
    return list(inputs.values())


@pytest.mark.parametrize("filters", pileup_equality.FILTERS.values(), ids=pileup_equality.FILTERS)
@pytest.mark.parametrize("path, reference", distinct_inputs(), ids=lambda path: path.name)
def test_pileup_equals_mpileup(path, reference, filters):
    n_positions, n_bases, found = pileup_equality.differences(path, reference, filters, FIRST_BP)
    assert n_positions > 10_000 and n_bases > 200_000
    assert found == []


def test_data_sets_are_there():
    if not DATA.exists():
        pytest.skip(f"the larger data sets are not at {DATA}: only the bundled one is compared")
    assert len(distinct_inputs()) >= 13
