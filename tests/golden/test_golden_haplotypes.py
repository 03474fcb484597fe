"""Haplotypes of the graphs against those of GATK 4.6.2.0, region by region: bases, scores, k-mer sizes."""

from pathlib import Path

import numpy as np
import pytest
from golden_assembly import arrays_of, bases_of, load_cases, settings_of

from gpuvc.assembly.assemble import ASSEMBLED, CYCLE, REFERENCE_REPEATS, TOO_SIMPLE, assemble

HERE = Path(__file__).parent
CASES = load_cases(HERE / "assembly.jsonl.gz")
ALL_CASES = HERE.parents[2] / "shared" / "golden" / "gatk" / "haplotypes" / "cases.jsonl.gz"
SCORE_TOLERANCE = 1e-9  # float64; 2e-14 measured


def check(case):
    """Assemble a case and compare."""
    regions, reads, codes, codes_start = arrays_of(case)
    raw = assemble(regions, reads, codes, codes_start, settings_of(case))
    found = {}
    for h in range(raw.n_haplotypes):
        found[bases_of(raw.bases[raw.base_offsets[h] : raw.base_offsets[h + 1]])] = None if raw.is_ref[h] else raw.score[h]
    assert len(found) == raw.n_haplotypes, "two haplotypes are equal"
    expected = {bases: score for bases, _cigar, score, _events in case["haplotypes"]}
    assert found.keys() == expected.keys()
    for bases, score in expected.items():
        assert (found[bases] is None) == (score is None)
        assert score is None or abs(found[bases] - score) <= SCORE_TOLERANCE
    assert raw.tried_kmer_size[0][raw.outcome[0] == ASSEMBLED].tolist() == case["k"]
    rejected = np.isin(raw.outcome[0], (REFERENCE_REPEATS, CYCLE, TOO_SIMPLE))
    assert raw.tried_kmer_size[0][rejected].tolist() == case["k_rejected"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['set']}-{case['region']}")
def test_the_haplotypes_are_gatks(case):
    check(case)


def test_all_golden_haplotypes_are_gatks():
    if not ALL_CASES.exists():
        pytest.skip(f"needs the golden data in {ALL_CASES.parent}")
    for case in load_cases(ALL_CASES):
        check(case)
