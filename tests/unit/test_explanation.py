"""Why loci were called, filtered or missed: each true reason found beforehand by other means, as the comments say."""

import inspect
import json
import random
from pathlib import Path

import pytest

import gpuvc
from gpuvc.explanation import _Case
from gpuvc.io.fasta import open_reference
from gpuvc.options.explain import EXPLAIN_OPTIONS
from gpuvc.settings import DRAGEN_MODE

DEMO = Path(__file__).parents[2] / "reference" / "data"
SHARED = Path(__file__).parents[3] / "shared" / "data"
B37 = SHARED / "sim-hg001" / "b37.chr20.1-2000000.fa.gz"
SETS = {
    "hard": (B37, SHARED / "hard-hg001" / "hard_hg001.bam"),
    "sim": (B37, SHARED / "sim-hg001" / "sim_hg001.bam"),
    "7x": (DEMO / "chr20.fa", SHARED / "chr20-10M" / "NA12878.wgs7x.bam"),
}


def ask_shared(name, place):
    """Explain a place of one of the larger sets."""
    for path in SETS[name]:
        if not path.exists():
            pytest.skip(f"needs {path}, of the development data")
    return gpuvc.explain(*map(str, SETS[name]), place)


def case_of(demo_data, place):
    """What `gpuvc.explain` works on."""
    settings = gpuvc.Settings(engine="haplotype")
    return _Case(gpuvc.look_inside(demo_data.reference, demo_data.bam, place), settings, None, open_reference(demo_data.reference))


@pytest.fixture(scope="module")
def ask(demo_data):
    """Explain a place of the bundled reads."""
    return lambda place, **more: gpuvc.explain(demo_data.reference, demo_data.bam, place, **more)


def given_snv(folder):
    """Path of a VCF with an allele that no read shows, 5300 T>G."""
    vcf = folder / "given.vcf"
    vcf.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=chr20>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr20\t5300\t.\tT\tG\t.\t.\t.\n"
    )
    return str(vcf)


def allele(explanation, text):
    ref, alt = text.split(">")
    return next(entry for entry in explanation["alleles"] if (entry["ref"], entry["alt"]) == (ref, alt))


def verdict(explanation):
    return explanation["verdict"]["outcome"], explanation["verdict"]["stage"]


class TestBundledLoci:
    """NA12878 at 50x. Depths are those of `samtools mpileup -q 20 -Q 10 -B -A -x`."""

    def test_a_heterozygous_snv(self, ask):
        # GIAB: 5117 C>T 1|0. GATK: 0/1, AD 25,30. mpileup: 25 C, 30 T, on both strands.
        x = ask("chr20:5117")
        assert verdict(x) == ("called", "filters") and "5,117 C>T 0/1" in x["verdict"]["text"] and x["verdict"]["text"].endswith("PASS")
        assert (allele(x, "C>T")["forward"], allele(x, "C>T")["reverse"]) == (20, 10)
        assert allele(x, "C>C")["forward"] + allele(x, "C>C")["reverse"] == 25
        assert [h["reads"] for h in x["haplotypes"] if h["has_allele"]] == [30]
        assert x["genotyping"]["phred_likelihoods"][0]["0/1"] == 0

    def test_two_insertions_at_once(self, ask):
        # GATK: 7458 G>GTT,GTTT 1/2, AD 0,6,8: no read that spans the T run has its reference length. mpileup sees +1T to +3T.
        x = ask("chr20:7458:G:GTTT")
        assert verdict(x) == ("called", "filters") and "G>GTT,GTTT 1/2" in x["verdict"]["text"]
        assert (allele(x, "G>GTTT")["forward"], allele(x, "G>GTTT")["reverse"]) == (8, 1)
        reference, *others = x["likelihoods"]["alleles"]  # `T`, from reads misaligned in the run, has none
        assert reference["forward"] + reference["reverse"] == 0 and [o["allele"] for o in others if o["forward"]] == ["GTT", "GTTT"]

    def test_an_snv_that_is_an_insertion(self, ask):
        # Wrong in the aligner's pile: 8 of 57 reads show 9224 A>G beside a run of A. GATK calls 9223 A>AG (8,14) and no SNV: these reads
        # end in the run and were aligned without the insertion.
        x = ask("chr20:9224:A:G")
        assert verdict(x) == ("not called", "assembly")
        assert allele(x, "A>G")["forward"] + allele(x, "A>G")["reverse"] == 8
        assert x["verdict"]["text"].endswith("8 of these fit a haplotype with 9,223 A>AG (called) best")

    def test_reads_that_fell_apart_behind_a_homopolymer(self, ask):
        # A third of the reads show 29283 C>T, 15 of 16 on the reverse strand; these reads have edit distances of 3 to 25 (NM), most are
        # clipped at a run of T, and the others have 0.8 on average (samtools view). GATK has no record: sequencing errors.
        x = ask("chr20:29283")
        assert verdict(x) == ("not called", "assembly") and x["allele"] == {"pos": 29283, "ref": "C", "alt": "T"}
        assert (allele(x, "C>T")["forward"], allele(x, "C>T")["reverse"]) == (1, 15)
        assert "15 of these fit no haplotype and have no say" in x["verdict"]["text"]

    def test_errors_of_one_strand(self, ask):
        # 12 of 46 reads show 55161 A>C, all reverse, with base qualities from 6 to 32, 15 in the middle
        # (mpileup -Q 0); GIAB and GATK have no variant there.
        x = ask("chr20:55161")
        assert verdict(x) == ("filtered", "filters") and (allele(x, "A>C")["forward"], allele(x, "A>C")["reverse"]) == (0, 6)
        expected = "StrandBias (reference 22+ 11-, alternate 0+ 12-: errors of one strand 60.4 phred likelier than two alleles, from 15; "
        assert expected + "BaseQRankSum -3.50, up to -2.33)" in x["verdict"]["text"]

    def test_low_base_qualities(self, ask):
        # 7 of 50 reads show 81938 T>A, all reverse, with base qualities 23, 23, 23, 23, 17, 15 and 10 (mpileup -Q 0); GATK has no record.
        x = ask("chr20:81938")
        assert verdict(x) == ("not called", "activity") and x["region"] is None and x["likelihoods"] is None
        assert allele(x, "T>A")["reverse"] == 7 and allele(x, "T>A")["forward"] == 0
        assert x["activity"]["own"] == 0 and "7 of 50 reads show it" in x["verdict"]["text"]

    def test_a_missed_snv_among_misplaced_reads(self, ask):
        # GIAB: 103945 T>C 1|0, and GATK misses it, too. 14 reads have mapping quality 20 or more, 3 of these show C; 4 more that show it
        # have 1 to 16. Two of the 3 carry other differences, which no haplotype has together with this one.
        x = ask("chr20:103945")
        assert verdict(x) == ("not called", "genotyping") and x["allele"]["alt"] == "C"
        assert x["reads"] == {"over": 18, "counted": 14, "left_out": {"MappingQualityReadFilter": 4}}
        assert allele(x, "T>C")["in_reads_left_out"] == 4
        assert x["genotyping"]["phred_likelihoods"][0]["0/0"] == 0 and x["genotyping"]["qual"] < 1
        assert "of 3 reads that show it, 1 fit a haplotype with it, 2 one without" in x["verdict"]["text"]

    def test_where_nothing_differs(self, ask):
        # mpileup at 5300: reference bases only.
        assert verdict(ask("chr20:5300")) == ("not called", "reads")
        assert "shows a variant" in ask("chr20:5300")["verdict"]["text"] and "shows it" in ask("chr20:5300:T:G")["verdict"]["text"]

    def test_without_reads(self, ask):
        x = ask("chr20:1000000")
        assert verdict(x) == ("not called", "reads") and "no read lies over the place" in x["verdict"]["text"]
        assert x["activity"]["at_place"] == 0 and x["region"] is None

    def test_settings_decide(self, ask):
        def with_(**settings):
            return ask("chr20:5117", settings=gpuvc.Settings(engine="haplotype", **settings))

        assert verdict(with_(min_mapping_quality=61)) == ("not called", "reads")
        assert "(MappingQualityReadFilter 55)" in with_(min_mapping_quality=61)["verdict"]["text"]
        assert verdict(with_(active_probability_threshold=0.9)) == ("not called", "activity")
        assert "the activity 0.0235 is not above 0.9" in with_(active_probability_threshold=0.9)["verdict"]["text"]
        pruned = with_(min_pruning=31)
        assert verdict(pruned) == ("not called", "assembly") and "30 reads show, and --min-pruning asks for 31" in pruned["verdict"]["text"]
        strict = with_(standard_min_confidence=5000.0)
        assert verdict(strict) == ("not called", "genotyping") and "is below 5000; genotype 0/1 of C,T" in strict["verdict"]["text"]
        assert verdict(ask("chr20:5117", intervals=["chr20:5118-6000"])) == ("not called", "intervals")
        as_gatk = with_(concordance="hc")
        assert "QUAL 1049.6, PASS" in as_gatk["verdict"]["text"]  # what GATK itself writes
        assert as_gatk["likelihoods"]["alleles"][1]["counted_log10"] is None

    def test_given_alleles_and_ploidies(self, ask, tmp_path):
        x = ask("chr20:5300:T:G", alleles=given_snv(tmp_path))
        assert verdict(x) == ("not called", "genotyping") and "a record has it, but no genotype does; 5,300 T>G 0/0" in x["verdict"]["text"]
        assert [h["has_allele"] for h in x["haplotypes"]] == [h["is_reference"] is False for h in x["haplotypes"]]
        bed = tmp_path / "ploidies.bed"
        bed.write_text("chr20\t5000\t5200\t3\n")
        (pls,) = ask("chr20:5117", ploidy_regions=str(bed))["genotyping"]["phred_likelihoods"]
        assert list(pls) == ["0/0/0", "0/0/1", "0/1/1", "1/1/1"]

    def test_a_gvcf_has_a_record_of_what_is_not_there(self, ask):
        x = ask("chr20:103945", settings=gpuvc.Settings(emit_ref_confidence="GVCF"))
        assert verdict(x) == ("not called", "genotyping") and "a record has it, but no genotype does" in x["verdict"]["text"]
        assert ["C", "<NON_REF>"] in [call["alts"] for call in x["calls"] if call["pos"] == 103945] and "called there" not in x["verdict"][
            "text"
        ]

    def test_another_allele_than_the_called_one(self, ask):
        x = ask("chr20:5117-C-G")
        assert verdict(x) == ("not called", "reads") and x["verdict"]["text"].endswith("called there: 5,117 C>T")


class TestSharedLoci:
    """Wrong and filtered ones of the larger sets; truth is the simulation's, or GIAB's."""

    def test_a_true_snv_filtered_beside_a_hidden_duplication(self):
        # Truth: 984766 C>G 0|1, and GATK calls it (11,21). From 984838 on lie false calls at a quarter of the reads (GATK: 37,9), where
        # depth doubles (34x to 66x): the simulation's hidden duplication, whose neighbourhood the filter marks.
        x = ask_shared("hard", "20:984766:C:G")
        assert verdict(x) == ("filtered", "filters")
        assert "AlleleBalance (depths 11,21 " in x["verdict"]["text"] and "here at 984,838, 984,867" in x["verdict"]["text"]
        call = next(call for call in x["calls"] if call["pos"] == 984766)
        assert call["filter"] == ["AlleleBalance"] and call["samples"][0]["depths"] == [11, 21] and call["imbalance_phred"] < 30

    def test_a_false_deletion_filtered(self):
        # Not in the truth; GATK calls it 37,9 with QUAL 259.6. Alternate reads at a quarter, all forward (mpileup): a hidden duplication.
        x = ask_shared("hard", "20:984838")
        assert verdict(x) == ("filtered", "filters") and x["allele"] == {"pos": 984838, "ref": "TGTCC", "alt": "T"}
        assert "AlleleBalance (depths 37,9 fit three or four copies 38.1 phred better than two, from 30)" in x["verdict"]["text"]

    def test_slippage(self):
        # Simulated; no variant in the truth. mpileup: 3 of 25 reads have one copy of 21 GT less; GATK has no record.
        x = ask_shared("hard", "20:655332:AGT:A")
        assert verdict(x) == ("filtered", "filters")
        assert "Stutter (depths 22,3: slippage of the repeat 33.5 phred likelier than two alleles, from 15)" in x["verdict"]["text"]

    def test_a_missed_allele_beside_another(self):
        # Truth: 316844 CTCT>CTCTTCTTCT,C 2|1. mpileup: 6 reads with 3 bases less, 3 with 6 more. GATK calls the deletion alone, 1/1, too:
        # the repeat is longer than the k-mers, no graph has the longer allele, and 3 reads of 31 are too few to put it in.
        x = ask_shared("hard", "20:316844:CTCT:CTCTTCTTCT")
        assert verdict(x) == ("not called", "assembly")
        assert (allele(x, "C>CTCTTCT")["forward"], allele(x, "C>CTCTTCT")["reverse"]) == (2, 1)
        assert (allele(x, "CTCT>C")["forward"], allele(x, "CTCT>C")["reverse"]) == (5, 1)
        assert "3 reads show; 3 of these fit the reference best" in x["verdict"]["text"]
        assert x["verdict"]["text"].endswith("called there: 316,844 CTCT>C")
        assert x["assembly"]["kmers"][0] == {"k": 25, "outcome": "reference repeats a k-mer"}

    def test_a_missed_deletion_in_a_homopolymer(self):
        # Truth: 1525084 CT>C 0|1, in a run of 15 T. mpileup: 4 of 29 reads have one T less; GATK has no record, either.
        x = ask_shared("sim", "20:1525084:CT:C")
        assert verdict(x) == ("not called", "genotyping")
        assert allele(x, "CT>C")["forward"] + allele(x, "CT>C")["reverse"] == 4 and x["reads"]["counted"] == 30
        assert x["genotyping"]["qual"] < 10 and x["genotyping"]["phred_likelihoods"][0]["0/0"] == 0

    def test_a_missed_snv_seen_once(self):
        # GIAB: 5694 G>A 1|0. At 7x one of 5 reads shows A (mpileup).
        x = ask_shared("7x", "chr20:5694:G:A")
        assert verdict(x) == ("not called", "assembly") and "which 1 read shows, and --min-pruning asks for 2" in x["verdict"]["text"]
        assert (x["reads"]["over"], x["reads"]["counted"]) == (6, 5)

    def test_a_missed_snv_under_one_misplaced_read(self):
        # GIAB: 17636 G>C 0|1. The only read there has mapping quality 0 (samtools view).
        x = ask_shared("7x", "chr20:17636:G:C")
        assert verdict(x) == ("not called", "reads")
        assert x["verdict"]["text"] == "not called: none of 1 read over the place counts (MappingQualityReadFilter 1)"

    def test_a_missed_deletion_that_no_read_shows(self):
        # GIAB: 98568 GT>G 1|0. At 7x 8 reads lie there, one with a T more, none with one less (mpileup).
        x = ask_shared("7x", "chr20:98568:GT:G")
        assert verdict(x) == ("not called", "reads") and "none of 8 reads that count shows it" in x["verdict"]["text"]

    def test_a_heterozygote_called_homozygous(self):
        # GIAB: 17384 T>C 1|0. At 7x both reads that count show C (mpileup).
        x = ask_shared("7x", "chr20:17384")
        assert verdict(x) == ("called", "filters") and "T>C 1/1" in x["verdict"]["text"]
        assert allele(x, "T>T")["forward"] + allele(x, "T>T")["reverse"] == 0
        assert allele(x, "T>C")["forward"] + allele(x, "T>C")["reverse"] == 2


@pytest.mark.parametrize("concordance", ["none", "hc"])
def test_verdicts_agree_with_the_records(ask, demo_data, concordance):
    """Every record is explained as called or filtered, by its own alleles; a place without one never is."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    settings = gpuvc.Settings(engine="haplotype", concordance=concordance)
    calls = gpuvc.call_variants(demo_data.reference, demo_data.bam, settings=settings, intervals=["chr20:5000-55000"], threads=1).calls
    for call in rng.sample(calls, 12):
        for alt in set(call.alts) - {"*"}:
            x = ask(f"chr20:{call.pos + 1}:{call.ref}:{alt}", settings=settings)
            assert x["verdict"]["outcome"] == ("filtered" if call.filters else "called") and call.ref in x["verdict"]["text"]
    covered = {x for call in calls for x in range(call.pos, call.pos + len(call.ref))}
    for pos in rng.sample(sorted(set(range(5000, 55000)) - covered), 20):
        x = ask(f"chr20:{pos + 1}", settings=settings)
        assert x["verdict"]["outcome"] == "not called" and json.dumps(x, allow_nan=False)


def test_several_samples():
    # mpileup -q 20 of the three: child 7 C and 11 T, father T alone, mother C alone; GATK's trio: 0/1, 1/1, 0/0.
    trio = [SHARED / "chr20-10M" / f"trio.NA128{n}.bam" for n in (78, 91, 92)]
    if not trio[0].exists():
        pytest.skip(f"needs {trio[0]}, of the development data")
    x = gpuvc.explain(str(DEMO / "chr20.fa"), list(map(str, trio)), "chr20:5117")
    assert x["samples"] == ["HG001", "NA12891", "NA12892"] and "C>T 0/1, 1/1, 0/0" in x["verdict"]["text"]
    assert [min(pls, key=pls.get) for pls in x["genotyping"]["phred_likelihoods"]] == ["0/1", "1/1", "0/0"]
    drawn = [line for line in x["picture"] if "mapq" in line]
    assert all(sum(name in line for name in x["samples"]) == 1 for line in drawn)


def test_stages_that_real_loci_seldom_decide(ask, demo_data):
    """The verdict follows the evidence through clipping, trimming and the choice of alleles."""
    case = case_of(demo_data, "chr20:5117")
    key = case.allele
    assert key == (5116, "C", "T") and case._decided()[:2] == ("called", "filters")
    case.called = []
    assert case._decided()[1:] == ("genotyping", "another allele of the locus was put out; genotype 0/1 of C,T fits the reads best")
    call = next(call for call in case.evidence.calls if call.pos == 5116)
    for filters, why in (
        (("AlleleBalance",), "AlleleBalance (depths 25,30 fit three"),
        (("LowQual",), f"LowQual (QUAL {call.qual:.1f} is below 10); 5,117 C>T 0/1"),
    ):
        call.filters = filters
        assert case._decided_of(call)[:2] == ("filtered", "filters") and why in case._decided_of(call)[2]
    call.confidence = 2.5
    case.settings = gpuvc.Settings(concordance="hc", **DRAGEN_MODE)
    assert "LowQual (confidence, by likelihoods alone, 2.5 is below 3)" in case._decided_of(call)[2]
    locus, a = case._locus()
    locus.is_kept[a] = False
    assert "1 alternates at the locus, and the best 6 are kept" in case._decided()[2]
    locus.alleles = ("C", "G")
    assert case._decided()[1:] == ("genotyping", "the allele was left out of the locus: the locus has C, G")
    case.trimmed = [[key for key in events if key != case.allele] for events in case.trimmed]
    assert case._decided()[1] == "trimming"
    case.assembled = case.trimmed
    assert case._decided()[1] == "assembly"
    del case.clipped[key]
    assert case._decided()[1] == "clipping" and "the 30 reads with it lose it" in case._decided()[2]


class TestAsking:
    def test_a_deletion_over_the_place(self, ask):
        # GATK: 20547 GGGCGGAGGCGGAGGCGGA>G; the place lies in the last bases that it takes.
        x = ask("chr20:20565")
        assert x["place"]["pos"] == 20547 and len(x["allele"]["ref"]) == 19 and not x["asked_for_allele"]
        assert verdict(x) == ("called", "filters") and x["likelihoods"]["pos"] == 20547

    def test_indels_move_to_their_leftmost_place(self, ask):
        # 4996 A>ACT: the inserted CT can be written behind the next C, too, as TC.
        x = ask("chr20:4996:A:ACT")
        assert verdict(x) == ("called", "filters")
        ref = x["place"]["reference"]
        assert ref == "A"
        later = ask("chr20:7459:T:TT")  # one T more in the run of T behind G
        assert later["place"]["pos"] == 7458 and later["allele"] == {"pos": 7458, "ref": "G", "alt": "GT"}

    @pytest.mark.parametrize(
        "place, words",
        [
            ("chr20", "expected contig:position or contig:position:REF:ALT"),
            ("chr20:5117:C", "expected contig:position"),
            ("chr20:5117:A:T", "REF in chr20:5117:A:T: found A, expected C, the reference at chr20:5117"),
            ("chr20:5117:C:C", "found the reference itself"),
            ("chr20:5117:CT:TC", "found 2 substitutions, expected one. Ask after each by itself: chr20:5117:C:T"),
            ("chr1:5117:C:T", "chr1"),
            ("chr20:2000000:C:T", "1 <= start"),
        ],
    )
    def test_what_cannot_be_asked(self, ask, place, words):
        with pytest.raises(gpuvc.UsageError) as error:
            ask(place)
        assert words in str(error.value)


class TestCommand:
    def files(self, demo_data):
        return ["-R", demo_data.reference, "-I", demo_data.bam]

    def test_text(self, run_cli, demo_data):
        done = run_cli("explain", "chr20:5117", *self.files(demo_data))
        assert done.code == 0 and done.err == "", done.err
        lines = done.out.splitlines()
        assert lines[0].startswith("chr20:5,117") and "5,117 C>T" in lines[0]
        assert "reads       55 over the place, 55 count" in lines
        assert "alleles     C 12+ 13-   C>T 20+ 10-" in lines
        assert "read straight from the reads' alignments" in done.out
        assert any(line.startswith("haplotype 2  ") and "T" in line and line.endswith("30 reads") for line in lines)
        assert lines[-1].startswith("called: 5,117 C>T 0/1, QUAL ") and lines[-1].endswith("PASS")

    def test_place_may_stand_anywhere_and_options_of_call_count(self, run_cli, demo_data):
        done = run_cli("explain", *self.files(demo_data), "--concordance", "hc", "chr20:5,117", "-stand-call-conf", "2000", "-L", "chr20")
        assert done.code == 0 and done.out.splitlines()[-1].startswith("not called: QUAL 1049.6 is below 2000"), done.err

    def test_json(self, run_cli, demo_data):
        done = run_cli("explain", "chr20:7458", *self.files(demo_data), "--json")
        assert done.code == 0 and done.err == ""
        x = json.loads(done.out, parse_constant=pytest.fail)  # no NaN
        assert x == json.loads(json.dumps(gpuvc.explain(demo_data.reference, demo_data.bam, "chr20:7458")))
        documented = (Path(__file__).parents[2] / "docs" / "explain.md").read_text()
        assert all(f"`{name}`" in documented for name in x)
        for part in ("reads", "activity", "region", "assembly", "likelihoods", "genotyping", "verdict"):
            assert all(f"`{name}`" in documented for name in x[part]), part
        for part in ("alleles", "haplotypes", "calls"):
            assert all(f"`{name}`" in documented for name in x[part][0]), part
        assert all(f"`{name}`" in documented for name in x["likelihoods"]["alleles"][0])

    def test_an_infinite_qual(self, run_cli, demo_data, tmp_path):
        # As GATK has it of a given allele that is surely absent: mpileup at 5300 shows 54 reads with the reference's base.
        command = ["explain", "chr20:5300:T:G", *self.files(demo_data), "--concordance", "hc", "--alleles", given_snv(tmp_path)]
        done = run_cli(*command, "--json")
        assert done.code == 0, done.err
        calls = json.loads(done.out, parse_constant=pytest.fail)["calls"]
        assert {call["pos"]: call["qual"] is None for call in calls} == {5211: False, 5300: True, 5439: False}
        assert "T>G  QUAL infinite  " in run_cli(*command).out

    @pytest.mark.parametrize(
        "arguments, code, words",
        [
            ([], 2, "place: found none, expected contig:position"),
            (["chr20:5117", "chr20:5118"], 2, "argument 'chr20:5118'"),
            (["chr21:5117"], 2, "chr21"),
            (["chr20:5117", "--engine", "pileup"], 2, "found pileup, expected haplotype"),
            (["chr20:5117", "-O", "a.vcf"], 2, "-O"),
            (["chr20:5117", "--gvcf", "--ploidy-regions", "a.bed"], 2, "found it with --ploidy-regions, expected one ploidy"),
            (["chr20:5117", "--bam-output", "a.bam"], 2, "--bam-output: found no such option"),
            (["chr20:5117", "--assembly-region-out", "a.igv"], 2, "--assembly-region-out: found no such option"),
        ],
    )
    def test_errors(self, run_cli, demo_data, arguments, code, words):
        done = run_cli("explain", *arguments, *self.files(demo_data))
        assert done.code == code and words in done.err and done.out == "" and done.err.count("\n") == 1, done.err

    def test_every_option_reaches_something(self):
        known = {*gpuvc.Settings().as_dict(), *inspect.signature(gpuvc.look_inside).parameters, "dragen_mode"}
        of_the_command = {"as_json", "verbosity", "arguments_file"}
        assert {option.to for option in EXPLAIN_OPTIONS} <= known | of_the_command

    def test_missing_file(self, run_cli, demo_data):
        assert run_cli("explain", "chr20:5117", "-R", demo_data.reference, "-I", "no.bam").code == 1
