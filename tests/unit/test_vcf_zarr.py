"""VCF Zarr of a run: the same genotypes, and a store that is whole or not there."""

import shutil
import sys

import numpy as np
import pytest

import gpuvc


@pytest.fixture(scope="module")
def vcf(demo_data, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("calls") / "calls.vcf.gz")
    gpuvc.call_variants(demo_data.reference, demo_data.bam, path, intervals=["chr20:5,000-30,000"], device="cpu")
    return path


def test_genotypes_are_those_of_the_vcf(vcf, tmp_path):
    import zarr

    store = gpuvc.vcf_to_zarr(vcf, tmp_path / "calls.vcz")
    assert [path.name for path in tmp_path.iterdir()] == ["calls.vcz"]
    opened = zarr.open_group(str(tmp_path / "calls.vcz"), mode="r")
    table = gpuvc.read_vcf(vcf)
    assert table.num_rows > 50 and store["variant_position"][:].tolist() == table["pos1"].to_pylist()
    genotypes = opened["call_genotype"][:]
    assert genotypes.dtype == np.int8 and genotypes.shape == (table.num_rows, 1, 2)
    texts = table["NA12878_GT"].to_pylist()
    assert [tuple(own[0]) for own in genotypes.tolist()] == [tuple(map(int, text.replace("|", "/").split("/"))) for text in texts]
    assert opened["call_genotype_phased"][:, 0].tolist() == ["|" in text for text in texts]
    alleles = [[allele for allele in own if allele] for own in opened["variant_allele"][:].tolist()]
    assert alleles == [[ref, *alts] for ref, alts in zip(table["ref"].to_pylist(), table["alts"].to_pylist(), strict=True)]
    assert opened["call_DP"][:, 0].tolist() == table["NA12878_DP"].to_pylist()


def test_what_stands_there_stays_unless_told(vcf, tmp_path):
    target = tmp_path / "calls.vcz"
    target.mkdir()
    (target / "precious.txt").write_text("x")
    for overwrite in (False, True):  # not a store: never replaced
        with pytest.raises(gpuvc.UsageError, match=r"calls\.vcz: found something of that name"):
            gpuvc.vcf_to_zarr(vcf, target, overwrite=overwrite)
    assert [path.name for path in target.iterdir()] == ["precious.txt"]
    shutil.rmtree(target)
    gpuvc.vcf_to_zarr(vcf, target)
    with pytest.raises(gpuvc.UsageError, match="overwrite=True"):
        gpuvc.vcf_to_zarr(vcf, target)
    assert gpuvc.vcf_to_zarr(vcf, target, overwrite=True)["variant_position"].shape[0] > 50


def test_inputs_that_cannot_be(vcf, tmp_path, monkeypatch):
    with pytest.raises(gpuvc.InputError, match="no such file"):
        gpuvc.vcf_to_zarr(tmp_path / "none.vcf.gz", tmp_path / "x.vcz")
    alone = tmp_path / "alone.vcf.gz"
    shutil.copy(vcf, alone)
    with pytest.raises(gpuvc.InputError, match="no index"):
        gpuvc.vcf_to_zarr(alone, tmp_path / "x.vcz")
    with pytest.raises(gpuvc.OutputError, match="cannot be written"):
        gpuvc.vcf_to_zarr(vcf, tmp_path / "nowhere" / "x.vcz")
    for module in ("cyvcf2", "bio2zarr.vcf"):
        with monkeypatch.context() as without, pytest.raises(gpuvc.UsageError, match=r"pip install 'gpuvc\[zarr\]'"):
            without.setitem(sys.modules, module, None)
            gpuvc.vcf_to_zarr(vcf, tmp_path / "x.vcz")
    assert [path.name for path in tmp_path.iterdir()] == ["alone.vcf.gz"]
