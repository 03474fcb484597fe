"""Records from read likelihoods, locus by locus, against GATK's."""

from dataclasses import replace
from pathlib import Path

import golden_genotyping as golden
import numpy as np
import pytest

from gpuvc.genotyping.haplotype_calls import call_loci
from gpuvc.likelihoods.marginalize import NO_VALUE, NON_REF, REFERENCE, SPANNING, LocusBatch, median_below_best
from gpuvc.settings import Settings

HERE = Path(__file__)
FULL = HERE.parents[3] / "shared" / "golden" / "gatk" / "genotyping" / "sites.jsonl.gz"
SUBSET = HERE.parent / "sites.jsonl.gz"
TOLERANCES = {"FS": 0.0005, "SOR": 0.0005, "BaseQRankSum": 0.0005, "MQRankSum": 0.0005, "ReadPosRankSum": 0.0005, "ExcessHet": 0.00005}


def locus_batch(site):
    """LocusBatch of one locus of the file."""
    with_non_ref = bool(site["options"].get("gvcf"))
    texts = [*site["alleles"], *(["<NON_REF>"] if with_non_ref else [])]
    event = [REFERENCE, *(SPANNING if text == "*" else NON_REF if text == "<NON_REF>" else k for k, text in enumerate(texts[1:]))]
    length = [1 if e == SPANNING else 0 if e == NON_REF else len(text) for e, text in zip(event, texts, strict=True)]
    rows = [(s, row) for s, sample in enumerate(site["samples"]) for row in sample["reads"]]
    n, n_alleles = len(rows), len(site["alleles"])
    log10 = np.array([[-np.inf if v is None else v for v in row[4:]] for _, row in rows]).reshape(n, n_alleles)
    if with_non_ref:
        log10 = np.column_stack([log10, [median_below_best(row) for row in log10]])
    known = [row[1] for _, row in rows if row[1] != 255]
    depth = np.bincount([s for s, _ in rows], minlength=len(site["samples"])).astype(np.int32)
    depth[0] += site["side_reads"]

    def column(k, dtype):
        return np.array([NO_VALUE if row[k] is None else row[k] for _, row in rows], dtype)

    return texts, LocusBatch(
        np.zeros(1, np.int32), np.array([site["pos"] - 1], np.int32), np.array([len(texts[0])], np.int32),
        np.array([0, len(texts)], np.int64), np.array(event, np.int32), np.array(length, np.int32), np.zeros(2, np.int64),
        np.empty(0, np.int16), np.array([0, n], np.int64), np.arange(n, dtype=np.int32), np.array([s for s, _ in rows], np.int16),
        column(0, np.bool_), column(1, np.uint8), column(2, np.int16), column(3, np.int32), np.array([0, log10.size], np.int64),
        log10.ravel(), depth[None], np.array([float(sum(m * m for m in known))]), np.array([len(known)], np.int32),
    )  # fmt: skip


def call(site, settings=None):
    """The Call, or None."""
    options = site["options"]
    settings = replace(
        settings or Settings(), sample_ploidy=options.get("ploidy", 2), max_alternate_alleles=options.get("max_alternate_alleles", 6)
    )
    texts, loci = locus_batch(site)
    covering = [(site["pos"] - 2, site["pos"] + 1)] if site["record"] and "*" in site["record"].split("\t")[4].split(",") else []
    gvcf = bool(options.get("gvcf"))
    confidence = options.get("stand_call_conf", 0 if gvcf else 30)
    forced = np.zeros(len(texts), np.bool_)
    records = call_loci(loci, confidence, len(site["samples"]), settings, forced, covering, with_non_ref=gvcf)
    calls = records.calls(loci, 0, lambda _: texts, settings)
    return calls[0] if calls else None


def numbers(text):
    return tuple(int(v) for v in text.split(","))


def differences(site, found):
    """What differs from the record: list of (field, found, wanted)."""
    if site["record"] is None:
        return [] if found is None else [("record", found, None)]
    if found is None:
        return [("record", None, site["record"])]
    _, _, _, ref, alts, qual, _, info, keys, *samples = site["record"].split("\t")
    wrong = []

    def check(name, value, wanted, tolerance=0):
        if value != wanted and not (tolerance and value is not None and wanted is not None and abs(value - wanted) <= tolerance * 1.001):
            wrong.append((name, value, wanted))

    check("REF", found.ref, ref)
    check("ALT", found.alts, tuple(alts.split(",")))
    check("QUAL", found.qual, float(qual), 0.005)
    info = dict(entry.split("=") for entry in info.split(";"))
    in_gvcf = "RAW_MQandDP" in info or site["options"].get("gvcf")
    for key in ("AC", "MLEAC"):
        if not (in_gvcf and key == "AC"):
            check(key, found.info[key], numbers(info[key]) if key in info else None)
    for key in ("AF", "MLEAF"):
        if key in info and info[key] != "NaN":
            for a, b in zip(found.info[key], info[key].split(","), strict=True):
                check(key, a, float(b), 0.0005)
    check("DP", found.info["DP"], int(info["DP"]))
    for key, tolerance in TOLERANCES.items():
        if not (in_gvcf and key in ("FS", "SOR")):
            check(key, found.info[key], float(info[key]) if key in info else None, tolerance)
    if not in_gvcf:
        check("AN", found.info["AN"], int(info["AN"]) if "AN" in info else None)
        if site["side_reads"] == 0:
            check("MQ", found.info["MQ"], float(info["MQ"]), 0.005)
        wanted = float(info["QD"]) if "QD" in info else None
        if wanted is None or found.info["QD"] is None or found.info["QD"] < 34.99:
            check("QD", found.info["QD"], wanted, 0.005)
    for sample, text in zip(found.samples, samples, strict=True):
        own = dict(zip(keys.split(":"), text.split(":"), strict=False))
        genotype = sorted(-1 if a == "." else int(a) for a in own["GT"].replace("|", "/").split("/"))
        check("GT", sorted(sample.genotype), genotype)
        check("PL", sample.phred_likelihoods, numbers(own["PL"]))
        check("GQ", sample.genotype_quality, int(own["GQ"]))
        check("AD", sample.allele_depths, numbers(own["AD"]) if own.get("AD", ".") != "." else None)
        check("DP of sample", sample.depth, int(own["DP"]) if own.get("DP", ".") != "." else None)
    return wrong


@pytest.mark.parametrize("path", [SUBSET, FULL], ids=["subset", "all"])
def test_records_equal_gatk(path):
    if not path.exists():
        pytest.skip(f"{path} is not there")
    sites = golden.load(path)
    wrong = {f"{site['set']} {site['pos']}": d for site in sites if (d := differences(site, call(site)))}
    assert wrong == {}
