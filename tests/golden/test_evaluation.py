"""Counts of matching against those of `rtg vcfeval`, on call sets of four callers; make_evaluation.py made what evaluation/ holds."""

import gzip
import json
import shutil

import pysam
import pytest

from gpuvc.evaluation.evaluate import evaluate
from tests.conftest import DEMO, REPOSITORY

FOLDER = REPOSITORY / "tests" / "golden" / "evaluation"
DATA = REPOSITORY.parent / "shared" / "data"
EXPECTED = json.loads((FOLDER / "vcfeval.json").read_text())
KINDS = {"snp": "SNV", "other": "indel"}


@pytest.fixture(scope="module")
def reference_of(tmp_path_factory):
    """The FASTA of that name, which may be compressed where it lies; skips where it is absent."""

    def find(name):
        if name == "chr20.fa":
            return DEMO / name
        found = sorted([*FOLDER.glob(f"{name}*"), *DATA.glob(f"*/{name}"), *DATA.glob(f"*/{name}.gz")])
        if not found:
            pytest.skip(f"{name} is not in {DATA}")
        if found[0].parent != FOLDER:
            return found[0]
        plain = tmp_path_factory.getbasetemp() / name
        if not plain.exists():
            with gzip.open(found[0]) as packed, open(plain, "wb") as target:
                shutil.copyfileobj(packed, target)
            pysam.faidx(str(plain))
        return plain

    return find


@pytest.mark.parametrize("mode", ["pass", "all", "squash"])
@pytest.mark.parametrize(("dataset", "caller"), [(d, c) for d, of in EXPECTED.items() for c in of if c != "reference"])
def test_counts_are_those_of_vcfeval(reference_of, dataset, caller, mode):
    reference = reference_of(EXPECTED[dataset]["reference"])
    bed = FOLDER / f"{dataset}.bed"
    evaluation = evaluate(
        FOLDER / f"{dataset}.truth.vcf.gz",
        FOLDER / f"{dataset}.{caller}.vcf.gz",
        reference,
        bed if bed.exists() else None,
        all_records=mode != "pass",
        squash_ploidy=mode == "squash",
    )
    for kind, expected in EXPECTED[dataset][caller][mode].items():
        scores = evaluation.scores(KINDS[kind])
        assert {name: getattr(scores, name) for name in expected} == expected, kind
