"""Realigned reads against GATK's, region by region."""

from pathlib import Path

import numpy as np
import pytest
import regions as golden

from gpuvc.likelihoods.realign import realign_reads

FULL = Path(__file__).parents[3] / "shared" / "golden" / "gatk" / "genotyping" / "regions.jsonl.gz"


def test_start_and_cigar_equal_gatk():
    """Every kept read of 33 regions."""
    if not FULL.exists():
        pytest.skip(f"{FULL} is not there")
    regions = golden.load(FULL)
    reads, likelihoods, rows = golden.region_reads(regions)
    realigned = realign_reads(reads, golden.haplotype_batch(regions), likelihoods)
    found = [
        (int(realigned.pos[k]) + 1, golden.text(realigned.cigar[realigned.cigar_offsets[k] : realigned.cigar_offsets[k + 1]]))
        for k in np.flatnonzero(likelihoods.kept)
    ]
    wanted = [(row["start"], row["cigar"]) for row in rows if row.get("kept")]
    assert len(found) > 3000
    assert [pair for pair in zip(found, wanted, strict=True) if pair[0] != pair[1]] == []
