"""Realigned reads against GATK's, region by region."""

from pathlib import Path

import golden_genotyping as golden
import numpy as np
import pytest

from gpuvc.likelihoods.realign import realign_reads

SUBSET = Path(__file__).parent / "regions.jsonl.gz"
FULL = Path(__file__).parents[3] / "shared" / "golden" / "gatk" / "genotyping" / "regions.jsonl.gz"


@pytest.mark.parametrize(("path", "n"), [(SUBSET, 200), (FULL, 3000)], ids=["subset", "all"])
def test_start_and_cigar_equal_gatk(path, n):
    """Every kept read of 33 regions."""
    if not path.exists():
        pytest.skip(f"{path} is not there")
    regions = golden.load(path)
    reads, likelihoods, rows = golden.region_reads(regions)
    realigned = realign_reads(reads, golden.haplotype_batch(regions), likelihoods)
    found = [
        (int(realigned.pos[k]) + 1, golden.text(realigned.cigar[realigned.cigar_offsets[k] : realigned.cigar_offsets[k + 1]]))
        for k in np.flatnonzero(likelihoods.kept)
    ]
    wanted = [(row["start"], row["cigar"]) for row in rows if row.get("kept")]
    assert len(found) > n
    assert [pair for pair in zip(found, wanted, strict=True) if pair[0] != pair[1]] == []
