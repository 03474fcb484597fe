"""Alignments with the tie rules that decide where indels are written, and equal to the plain form on repeats."""

import json
from pathlib import Path

import numpy as np
import pytest
from builders import callable_kernel, codes

from gpuvc.assembly import smith_waterman
from gpuvc.assembly.smith_waterman import DANGLING_WEIGHTS, HAPLOTYPE_WEIGHTS, IGNORE, INDEL, LEADING_INDEL, READ_WEIGHTS, SOFTCLIP
from reference.oracles import smith_waterman as oracle

REPOSITORY = Path(__file__).parents[3]
align_kernel = callable_kernel(smith_waterman.align)
GOLDEN = json.loads((REPOSITORY / "tests" / "golden" / "smith_waterman.json").read_text())["cases"]


def align(ref, query, weights, overhang):
    """(offset, CIGAR text) by the kernel."""
    rows, back = smith_waterman.make_workspace(len(ref), len(query))
    rows[:], back[:] = 12345, 77  # what an earlier pair left there
    cigar = np.empty(2 * min(len(ref), len(query)) + 3, np.uint32)
    offset, n = align_kernel(codes(ref), codes(query), *weights, overhang, rows, back, cigar)
    return offset, "".join(f"{op >> 4}{'MIDNS'[op & 15]}" for op in cigar[:n].tolist())


@pytest.mark.parametrize("case", GOLDEN, ids=[case["name"] for case in GOLDEN])
def test_the_golden_alignments(case):
    found = align(case["ref"], case["alt"], case["params"], getattr(smith_waterman, case["overhang"]))
    assert found == (case["offset"], case["cigar"])


def test_an_exact_occurrence_is_taken_where_it_is_last():
    assert align("ACGTTACGTT", "ACG", READ_WEIGHTS, SOFTCLIP) == (5, "3M")
    assert align("ACGTTACGTT", "ACG", READ_WEIGHTS, IGNORE) == (5, "3M")


def test_overhangs_become_clips_matches_or_gaps():
    ref, query = "GATTACAGGCT", "CCCCGATTACAGGCTAAA"
    assert align(ref, query, READ_WEIGHTS, SOFTCLIP) == (0, "4S11M3S")
    assert align(ref, query, READ_WEIGHTS, IGNORE) == (-4, "18M")
    assert align(ref, query, READ_WEIGHTS, INDEL) == (0, "4I11M3I")
    assert align(query, ref, READ_WEIGHTS, LEADING_INDEL) == (0, "4D11M")


def test_a_leading_indel_may_end_before_the_reference_does():
    assert align("GATTACAGGCTTTT", "GATTACA", DANGLING_WEIGHTS, LEADING_INDEL) == (0, "7M")


def test_of_equal_gaps_the_one_open_longer_stays():
    # One gap of 3 in a run of T; to open twice would cost the same at gap_open == gap_extend.
    assert align("GCATTTTTTGACG", "GCATTTGACG", (3, -4, -4, -4), INDEL) == (0, "3M3D7M")


@pytest.mark.parametrize("overhang", [SOFTCLIP, INDEL, LEADING_INDEL, IGNORE])
@pytest.mark.parametrize("weights", [HAPLOTYPE_WEIGHTS, READ_WEIGHTS, DANGLING_WEIGHTS], ids=str)
def test_equal_to_the_plain_form(weights, overhang):
    rng = np.random.default_rng(5)
    for _ in range(150):
        unit = "".join(rng.choice(list("ACGT"), rng.integers(1, 5)))
        ref = "".join(rng.choice(list("ACGTN"), rng.integers(1, 20))) + unit * int(rng.integers(1, 6))
        query = list(ref)
        for _ in range(rng.integers(0, 6)):
            at = int(rng.integers(len(query)))
            query[at : at + int(rng.integers(0, 4))] = rng.choice(list("ACGT"), rng.integers(0, 4)).tolist()
            query = query or ["A"]
        query = "".join(query)[int(rng.integers(0, 3)) :] or "G"
        assert align(ref, query, weights, overhang) == oracle.align(ref, query, weights, overhang), (ref, query)
