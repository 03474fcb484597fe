"""Options in, exit code out: how command lines are read, refused and answered, without calling anything."""

import inspect
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gpuvc.api import RunSummary
from gpuvc.errors import DeviceError, GpuvcError, InputError, OutputError, UsageError
from gpuvc.io.bed import SET_RULES
from gpuvc.options import COMMANDS
from gpuvc.options.call import CALL, CALL_OPTIONS, NEEDS, settings_and_rest
from gpuvc.options.kinds import Choice, Flag, Noted, Refused, Switch
from gpuvc.options.others import NOTED, REFUSED
from gpuvc.options.pileup import PILEUP
from gpuvc.options.reading import read_options
from gpuvc.options.showing import EXIT_CODES, markdown
from gpuvc.settings import DRAGEN_MODE, Settings

NEEDED = ["-R", "ref.fa", "-I", "a.bam", "-O", "out.vcf.gz"]


def read(*arguments):
    """Values and notes of `gpuvc call` with the required options and `arguments`."""
    return read_options([*NEEDED, *arguments], CALL, others=(*NOTED, *REFUSED))


def settings(*arguments):
    return settings_and_rest(read(*arguments).values)[0]


def refused(*arguments):
    with pytest.raises(UsageError) as error:
        settings(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


class TestReading:
    def test_short_long_and_parabricks_names(self):
        one = read_options(NEEDED, CALL).values
        assert one == {"reference": "ref.fa", "alignments": ["a.bam"], "output": "out.vcf.gz"}
        for line in ("--reference ref.fa --input a.bam --output out.vcf.gz", "--ref=ref.fa --in-bam=a.bam --out-variants=out.vcf.gz"):
            assert read_options(line.split(), CALL).values == one

    def test_repeatable_options_keep_their_order(self):
        values = read("-I", "b.bam", "-L", "chr1", "--interval-file", "a.bed", "-XL", "chr1:5").values
        assert values["alignments"] == ["a.bam", "b.bam"]
        assert values["intervals"] == ["chr1", "a.bed"] and values["exclude_intervals"] == ["chr1:5"]

    def test_switches_of_gatk_that_calls_depend_on(self):
        assert not settings("--do-not-run-physical-phasing").physical_phasing
        assert settings("--do-not-run-physical-phasing", "false", "--disable-spanning-event-genotyping", "false") == Settings()
        assert not settings("--disable-spanning-event-genotyping").spanning_allele

    def test_settings(self):
        assert settings() == Settings()
        line = (
            "-ploidy 4 -stand-call-conf 20.5 -mbq 12 --minimum-mapping-quality 0 --max-reads-per-alignment-start 0 "
            "--max-alternate-alleles 3 --heterozygosity 2e-3 --indel-heterozygosity 1e-4 -RF A -RF B -DF C --dont-use-soft-clipped-bases "
            "--do-not-correct-overlapping-quality true"
        )
        assert settings(*line.split()) == Settings(
            sample_ploidy=4,
            standard_min_confidence=20.5,
            min_base_quality=12,
            min_mapping_quality=0,
            max_reads_per_alignment_start=0,
            max_alternate_alleles=3,
            heterozygosity=2e-3,
            indel_heterozygosity=1e-4,
            extra_read_filters=("A", "B"),
            disabled_read_filters=("C",),
            use_soft_clipped_bases=False,
            correct_overlapping_quality=False,
        )

    def test_the_other_parameters(self):
        line = (
            "-ip 10 -ixp 5 -isr intersection -sn X --device CPU --threads 3 --shard-bytes 99 --report r.json "
            "--no-version -OVI false --add-output-vcf-command-line False --QUIET --verbosity debug"
        )
        assert settings_and_rest(read(*line.split()).values)[1] == {
            "reference": "ref.fa",
            "alignments": ["a.bam"],
            "output": "out.vcf.gz",
            "interval_padding": 10,
            "interval_exclusion_padding": 5,
            "interval_set_rule": "INTERSECTION",
            "sample_name": "X",
            "device": "cpu",
            "threads": 3,
            "shard_bytes": 99,
            "report": ["r.json"],
            "version_header": False,
            "create_index": False,
            "add_command_line": False,
            "quiet": True,
            "verbosity": "DEBUG",
        }

    def test_switches_without_value_and_with_either(self):
        assert read("--dont-use-soft-clipped-bases", "-mbq", "5").values["min_base_quality"] == 5
        assert settings("--dont-use-soft-clipped-bases", "false").use_soft_clipped_bases
        assert not settings("--dont-use-soft-clipped-bases=TRUE").use_soft_clipped_bases

    def test_values_may_begin_with_a_dash(self):
        request = read_options(["-R", "r", "-I", "-", "-O", "-", "--java-options", "-Xmx8g"], CALL, others=NOTED)
        assert request.values["alignments"] == ["-"] and request.values["output"] == "-"

    @pytest.mark.parametrize(
        "line",
        ["-mbq 93", "-mbq 0", "-ploidy 1", "-ploidy 100", "-stand-call-conf 0", "--minimum-mapping-quality 255", "--heterozygosity 1e-12"],
    )
    def test_values_at_the_bounds(self, line):
        assert settings(*line.split()) != Settings()

    def test_pileup_has_the_options_of_reads_but_not_those_of_calling(self):
        line = "-R r.fa -I a.bam -mbq 0 -DF X --max-reads-per-alignment-start 0 --device cpu -L chr1 -O -"
        values = read_options(line.split(), PILEUP).values
        assert values["min_base_quality"] == 0 and values["interval"] == "chr1" and values["output"] == "-" and values["device"] == "cpu"
        for name in ("--mapping-quality-threshold-for-genotyping", "-ploidy", "-stand-call-conf", "--report"):
            with pytest.raises(UsageError, match="no such option"):
                read_options([*line.split(), name, "1"], PILEUP)

    def test_genotyping_threshold(self):
        pileup, threshold = ("--engine", "pileup"), "--mapping-quality-threshold-for-genotyping"
        assert settings(*pileup, threshold, "20") == Settings(engine="pileup")
        assert "--minimum-mapping-quality 30" in refused(*pileup, threshold, "30")
        assert settings(*pileup, threshold, "30", "--minimum-mapping-quality", "30").min_mapping_quality == 30

        own, hc = (settings("--concordance", word, "--minimum-mapping-quality", "1") for word in ("none", "hc"))
        assert (own.genotyping_mapping_quality, hc.genotyping_mapping_quality) == (1, 20)
        assert settings(threshold, "30").genotyping_mapping_quality == 30

    @pytest.mark.parametrize(
        "option", ["--apply-bqd", "--apply-frd", "--genotype-assignment-method USE_POSTERIOR_PROBABILITIES"]
    )
    def test_parts_of_another_model(self, option):
        assert "expected --concordance hc" in refused(*option.split())
        assert "expected --engine haplotype" in refused("--engine", "pileup", *option.split())
        assert settings("--concordance", "hc", *option.split()) != settings("--concordance", "hc")

    def test_dragen_mode(self):
        plain = "--concordance", "hc"
        assert settings(*plain, "--dragen-mode") == Settings(concordance="hc", **DRAGEN_MODE)
        assert settings(*plain, "--dragen-mode", "false") == settings(*plain)
        given = settings(*plain, "-stand-call-conf", "30", "--dragen-mode")
        assert given.standard_min_confidence == 30 and given.apply_frd
        assert "found it without --engine haplotype" in refused("--dragen-mode", "--engine", "pileup", "--concordance", "hc")
        assert "found it without --concordance hc" in refused("--dragen-mode")
        assert "found 20 with --dragen-mode, expected 1" in refused(*plain, "--dragen-mode", "--minimum-mapping-quality", "20")

    def test_dragstr(self):
        plain = "--concordance", "hc", "--dragstr-params-path", "sample.params"
        assert read(*plain).notes == []
        more = ("--dragstr-het-hom-ratio", "5", "--dont-use-dragstr-pair-hmm-scores", "--dont-use-dragstr-priors")
        _, rest = settings_and_rest(read(*plain, *more).values)
        names = ("dragstr_params_path", "dragstr_het_hom_ratio", "dragstr_pair_hmm_scores", "dragstr_priors")
        assert [rest[name] for name in names] == ["sample.params", 5, False, False]
        assert settings(*plain, *more) == settings("--concordance", "hc")
        assert [note.split(":")[0] for note in read(*more).notes] == [word for word in more if word != "5"]
        assert all("changes nothing without --dragstr-params-path" in note for note in read(*more).notes)
        assert read(*plain, "--pcr-indel-model", "NONE").notes == [
            "--pcr-indel-model: --dragstr-params-path says what gaps cost instead, as in GATK."
        ]
        assert read(*plain, "--pcr-indel-model", "NONE", "--dont-use-dragstr-pair-hmm-scores").notes == []
        assert "expected --engine haplotype" in refused("--engine", "pileup", *plain[2:])
        assert "expected a whole number from 1" in refused("--dragstr-het-hom-ratio", "0")

    def test_qual_needs_posteriors(self):
        assert "expected USE_POSTERIOR_PROBABILITIES" in refused("--concordance", "hc", "--use-posteriors-to-calculate-qual")

    def test_arguments_file(self, tmp_path):
        inner = tmp_path / "inner.txt"
        inner.write_text("-L 'HLA A' # comment\n")
        outer = tmp_path / "outer.txt"
        outer.write_text(f"# options\n-mbq 7 \\\n--arguments_file {inner}\n")
        values = read("--arguments_file", str(outer)).values
        assert values["min_base_quality"] == 7 and values["intervals"] == ["HLA A"]
        outer.write_text(f"--arguments_file={outer}")
        assert "name each other" in refused("--arguments_file", str(outer))
        outer.write_text("-L 'open")
        for path in (outer, tmp_path / "none.txt"):
            with pytest.raises(InputError, match=path.name):
                read("--arguments_file", str(path))
        with pytest.raises(InputError, match="no file"):
            read("--arguments_file")


class TestRefusing:
    @pytest.mark.parametrize(
        "arguments, words",
        [
            (["--min-base-quality", "5"], "Did you mean --min-base-quality-score"),
            (["--min_base_quality_score", "5"], "Did you mean --min-base-quality-score"),
            (["-reference", "x"], "Did you mean --reference"),
            (["-IP", "5"], "option -IP: found no such option. Did you mean -ip"),
            (["-Lchr1"], "option -Lchr1: found no such option"),
            (["--in", "x"], "option --in: found no such option"),
            (["b.bam"], "argument 'b.bam': found it after no option"),
            (["-L", "chr1", "chr2"], "argument 'chr2'"),
            (["-"], "argument '-'"),
            (["-O", "x"], "option -O: found it twice (first as -O)"),
            (["--out-variants", "x"], "option --out-variants: found it twice (first as -O)"),
            (["--QUIET", "--QUIET"], "found it twice"),
            (["-L"], "option -L: found no value, expected WHERE"),
            (["-L", "-XL", "chr1"], "option -L: found no value"),
            (["-L", "--device=cpu"], "option -L: found no value"),
            (["-L="], "option -L: found no value"),
            (["-ip", "-5"], "option -ip: found '-5', expected a whole number from 0 up"),
            (["-ip", "1e3"], "option -ip: found '1e3'"),
            (["-ip", "٣"], "option -ip"),
            (["-mbq", "94"], "expected a whole number from 0 to 93"),
            (["-ploidy", "0"], "expected a whole number from 1 to 100"),
            (["-stand-call-conf", "-1"], "expected a number from 0 up"),
            (["-stand-call-conf", "nan"], "expected a number"),
            (["-stand-call-conf", "inf"], "expected a number"),
            (["--heterozygosity", "0"], "to below 1"),
            (["--heterozygosity", "1"], "to below 1"),
            (["--device", "gpu"], "expected auto or cpu or cuda"),
            (["--no-version=true"], "option --no-version: found the value 'true', expected none"),
            (["-OVI=yes"], "expected true or false"),
            (["--threads", "0"], "from 1 to 1024"),
        ],
    )
    def test_messages(self, arguments, words):
        assert words in refused(*arguments)

    @pytest.mark.parametrize("left_out, name", [("-R", "--reference/-R"), ("-I", "--input/-I"), ("-O", "--output/-O")])
    def test_required(self, left_out, name):
        at = NEEDED.index(left_out)
        with pytest.raises(UsageError, match=f"option {name}: found none"):
            read_options(NEEDED[:at] + NEEDED[at + 2 :], CALL)

    @pytest.mark.parametrize("option", REFUSED, ids=lambda option: option.names[0])
    def test_every_unsupported_option_is_named_by_each_of_its_names(self, option):
        for name in option.names:
            value = [] if isinstance(option.takes, Flag) else ["true" if isinstance(option.takes, Switch) else "77"]
            if value and value[0] in option.does:
                continue
            message = refused(name, *value)
            assert message.startswith(name) and option.names[0] in message and "is not supported yet" in message

    @pytest.mark.parametrize("option", [option for option in REFUSED if option.does], ids=lambda option: option.names[0])
    def test_unsupported_options_may_ask_for_what_is_done_anyway(self, option):
        for value in option.does:
            assert read(option.names[0], value.upper()) == read()

    @pytest.mark.parametrize("option", NOTED, ids=lambda option: option.names[0])
    def test_options_that_cannot_change_calls_are_noted(self, option):
        for name in option.names:
            value = {Flag: [], Switch: ["true"], Choice: list(getattr(option.takes, "words", ()))[-1:]}
            request = read(name, *value.get(type(option.takes), ["8"]))
            assert [note for note in request.notes if name in note and option.note in note]
            assert settings_and_rest(request.values)[0] == Settings()

    def test_threads_of_others_are_threads_unless_ours_are_given(self):
        assert read("--native-pair-hmm-threads", "4").values["threads"] == 4
        assert read("--native-pair-hmm-threads", "4", "--threads", "2").values["threads"] == 2
        assert read("--threads", "2", "--num-htvc-threads", "4").values["threads"] == 2

    def test_families_of_deepvariant(self):
        assert "--channel-insert-size is not supported yet" in refused("--channel-insert-size", "true")

    def test_gatk_and_parabricks_lines_that_people_paste(self):
        gatk = "--java-options -Xmx4g -ERC NONE -L chr1 --native-pair-hmm-threads 4 --dragen-mode false -A Coverage --tmp-dir /tmp"
        assert settings(*gatk.split()) == Settings()
        assert settings("--engine", "haplotype", *gatk.replace("NONE", "GVCF").split()).emit_ref_confidence == "GVCF"
        assert settings("--engine", "haplotype", "--num-gpus", "2", "--gvcf").emit_ref_confidence == "GVCF"


class TestTables:
    def test_no_name_stands_twice(self):
        for command in COMMANDS.values():
            names = [name for option in (*command.options, *(NOTED + REFUSED if command is CALL else ())) for name in option.names]
            assert len(names) == len(set(names))

    def test_choices_are_those_of_the_code_behind(self):
        kinds = {option.to: option.kind for option in CALL_OPTIONS}
        assert kinds["interval_set_rule"] == Choice(SET_RULES)

    def test_every_setting_has_an_option(self):
        assert set(Settings().as_dict()) <= {option.to for option in CALL_OPTIONS}

    def test_concordance_brings_the_defaults_of_gatk_unless_others_are_given(self):
        found = settings("--engine", "haplotype", "--concordance", "hc")
        assert (found.standard_min_confidence, found.base_quality_score_threshold, found.pcr_indel_model) == (30, 18, "CONSERVATIVE")
        assert settings("--engine", "haplotype", "--concordance", "hc", "-stand-call-conf", "10").standard_min_confidence == 10
        assert settings().standard_min_confidence == 10

    def test_concordance_brings_the_defaults_of_bcftools(self):
        plain = "--engine", "pileup", "--concordance", "bcftools"
        found = settings(*plain)
        assert (found.min_mapping_quality, found.genotyping_mapping_quality, found.min_base_quality) == (0, 0, 1)
        assert (found.max_reads_per_alignment_start, found.standard_min_confidence, found.heterozygosity) == (0, 0, 1.1e-3)
        given = settings(*plain, "-mbq", "13", "--heterozygosity", "0.01", "-stand-call-conf", "20", "--sample-ploidy", "1")
        assert (given.min_base_quality, given.heterozygosity, given.standard_min_confidence, given.sample_ploidy) == (13, 0.01, 20, 1)

    @pytest.mark.parametrize(
        "option, expected",
        [
            ("--sample-ploidy 3", "--sample-ploidy: found 3 with --concordance bcftools, expected 1 or 2"),
            ("--max-alternate-alleles 3", "--max-alternate-alleles: found 3 with --concordance bcftools, expected 6"),
            ("--indel-heterozygosity 0.1", "--indel-heterozygosity: found 0.1 with --concordance bcftools"),
            ("--dont-use-soft-clipped-bases", "--dont-use-soft-clipped-bases: found False with --concordance bcftools, expected True"),
            ("-ERC GVCF", "--emit-ref-confidence: found GVCF with --concordance bcftools, expected NONE"),
            ("--kmer-size 12", "--kmer-size"),
            ("--mapping-quality-threshold-for-genotyping 20", "--mapping-quality-threshold-for-genotyping: found 20"),
            ("--alleles x.vcf", "--alleles: found it with --engine pileup"),
            ("--ploidy-regions x.bed", "--ploidy-regions: found it with --engine pileup"),
        ],
    )
    def test_what_bcftools_has_no_part_for(self, option, expected):
        assert expected in refused("--engine", "pileup", "--concordance", "bcftools", *option.split())

    def test_concordance_has_its_engine(self):
        assert "found bcftools with --engine haplotype, expected --engine pileup" in refused("--concordance", "bcftools")
        assert "found hc with --engine pileup, expected --engine haplotype" in refused("--engine", "pileup", "--concordance", "hc")

    def test_region_sizes_must_agree(self):
        with pytest.raises(UsageError, match=r"--min-assembly-region-size: found 301, expected at most --max-assembly-region-size \(300\)"):
            settings("--engine", "haplotype", "--min-assembly-region-size", "301")

    def test_the_pileup_engine_takes_no_option_of_the_other(self):
        with pytest.raises(UsageError, match="--kmer-size: found it with --engine pileup, expected --engine haplotype"):
            settings("--engine", "pileup", "--kmer-size", "15")

    @pytest.mark.parametrize(
        "line, needed",
        [
            ("--gvcf-gq-bands 20", "--emit-ref-confidence GVCF"),
            ("--floor-blocks", "--emit-ref-confidence BP_RESOLUTION"),
            ("--bam-writer-type NO_HAPLOTYPES", "--bam-output a.bam"),
            ("--create-output-bam-index false", "--bam-output a.bam"),
            ("--force-call-filtered-alleles", "--alleles a.vcf"),
        ],
    )
    def test_what_changes_nothing_alone_is_noted(self, line, needed):
        name, other = line.split()[0], needed.split()[0]
        assert read(*line.split()).notes == [f"{name}: it changes nothing without {other}."]
        assert read(*line.split(), *needed.split()).notes == []

    def test_defaults_need_no_note_and_suit_every_engine(self):
        line = "--floor-blocks false --bam-writer-type CALLED_HAPLOTYPES -OBI --force-call-filtered-alleles false"
        request = read("--engine", "pileup", *line.split())
        assert request.notes == [] and settings_and_rest(request.values)[0] == Settings(engine="pileup")

    def test_what_is_needed_and_its_default_are_those_of_the_code_behind(self):
        from gpuvc.api import call_variants

        defaults = {name: parameter.default for name, parameter in inspect.signature(call_variants).parameters.items()}
        for to, (needed, default) in NEEDS.items():
            assert needed in {option.to for option in CALL_OPTIONS}
            if default is not None:
                assert (defaults | Settings().as_dict())[to] == default

    @pytest.mark.parametrize("option", ["--bam-output a.bam", "--bam-writer-type NO_HAPLOTYPES", "-OBI false", "--assembly-region-out a"])
    def test_nor_asks_it_for_files_of_the_other(self, option):
        assert "found it with --engine pileup, expected --engine haplotype" in refused("--engine", "pileup", *option.split())

    def test_defaults_shown_can_be_given(self):
        for option in CALL_OPTIONS:
            if option.default is not None:
                assert settings(option.name, option.default) == Settings()

    def test_documentation_is_current(self):
        path = Path(__file__).parents[2] / "docs" / "options.md"
        assert path.read_text() == markdown(), "python -m gpuvc.options > docs/options.md"

    @pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
    def test_documentation_has_every_command_with_its_options_and_files(self, command):
        section = markdown().split(f"\n## gpuvc {command.name}\n")[1].split("\n## ")[0]
        assert command.usage in section and all(f"`{option.name}`" in section for option in command.options)
        assert all(line.strip() in section for line in command.files.splitlines())

    def test_front_page_lists_every_command(self):
        page = (Path(__file__).parents[2] / "README.md").read_text().split("\n## Commands\n")[1]
        assert re.findall(r"^\| `gpuvc (\w+)` \|", page, flags=re.MULTILINE) == list(COMMANDS)

    def test_what_unsupported_options_do_can_be_said(self):
        for option in (*NOTED, *REFUSED):
            assert isinstance(option, Noted | Refused) and all(value == value.lower() for value in getattr(option, "does", ()))


@pytest.fixture
def fake_api(monkeypatch):
    """gpuvc.api whose call_variants records its arguments, and does what `then` says."""
    calls = []
    api = ModuleType("gpuvc.api")
    api.then = lambda: None

    def call_variants(**arguments):
        calls.append(arguments)
        api.then()
        return RunSummary(n_records=3, n_reads=40, seconds=1.25, report={"seconds": {"compile": 0.0}})

    api.call_variants, api.calls = call_variants, calls
    monkeypatch.setitem(sys.modules, "gpuvc.api", api)
    return api


class TestCommand:
    def test_arguments_reach_the_api(self, run_cli, fake_api, tmp_path):
        (tmp_path / "more.list").write_text("b.bam\n\nc.bam\n")
        done = run_cli("call", *NEEDED, "-I", tmp_path / "more.list", "-mbq", "12", "--tmp-dir", "x y")
        assert done.code == 0 and done.out == ""
        assert done.err.splitlines() == [
            "gpuvc: --tmp-dir: the only temporary file lies in the output's folder; calls do not depend on it.",
            "gpuvc: 3 records from 40 reads in 1.2 s: out.vcf.gz",
        ]
        [arguments] = fake_api.calls
        assert arguments == {
            "reference": "ref.fa",
            "alignments": ["a.bam", "b.bam", "c.bam"],
            "output": "out.vcf.gz",
            "settings": Settings(min_base_quality=12),
            "command_line": f"gpuvc call -R ref.fa -I a.bam -O out.vcf.gz -I {tmp_path}/more.list -mbq 12 --tmp-dir 'x y'",
            "progress": None,
        }

    def test_quiet(self, run_cli, fake_api):
        done = run_cli("call", *NEEDED, "--QUIET")
        assert (done.code, done.out, done.err) == (0, "", "")
        assert run_cli("call", *NEEDED, "--verbosity", "ERROR", "--tmp-dir", "x").err == ""

    def test_a_report_over_the_output(self, run_cli, fake_api):
        done = run_cli("call", *NEEDED, "--report", "./out.vcf.gz")
        assert done.code == 2 and "--report" in done.err and not fake_api.calls

    def test_lists_of_inputs_that_cannot_be_read(self, run_cli, fake_api, tmp_path):
        (tmp_path / "empty.list").write_text("\n")
        for name in ("empty.list", "none.list"):
            done = run_cli("call", "-R", "r.fa", "-I", tmp_path / name, "-O", "o.vcf")
            assert done.code == 1 and name in done.err
        assert not fake_api.calls

    def test_progress_is_a_callback_on_terminals(self, run_cli, fake_api, monkeypatch):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        fake_api.then = lambda: fake_api.calls[0]["progress"](50, 100, "chr1", 12345)
        assert run_cli("call", *NEEDED).code == 0

    @pytest.mark.parametrize(
        "error, code, words",
        [
            (InputError("a.bam is\ntruncated"), 1, "gpuvc: a.bam is truncated\n"),
            (UsageError("no"), 2, "gpuvc: no\n"),
            (DeviceError("no"), 3, "gpuvc: no\n"),
            (OutputError("no"), 4, "gpuvc: no\n"),
            (GpuvcError("no"), 70, "gpuvc: no\n"),
            (MemoryError(), 137, "gpuvc: out of memory. Use fewer --threads or smaller --shard-bytes.\n"),
            (KeyboardInterrupt(), 130, "gpuvc: interrupted; outputs that were not whole yet are removed.\n"),
        ],
    )
    def test_exit_codes(self, run_cli, fake_api, error, code, words):
        def then():
            raise error

        fake_api.then = then
        done = run_cli("call", *NEEDED)
        assert (done.code, done.out, done.err) == (code, "", words)
        assert code in dict(EXIT_CODES)

    def test_a_fault_shows_where_and_how_to_report_it(self, run_cli, fake_api):
        fake_api.then = lambda: 1 / 0
        done = run_cli("call", *NEEDED)
        assert done.code == 70 and "Traceback" in done.err and "ZeroDivisionError" in done.err
        assert done.err.splitlines()[-1].startswith("gpuvc: this is a fault in gpuvc. Please report it")

    def test_termination(self, run_cli, fake_api):
        before = signal.getsignal(signal.SIGTERM)
        fake_api.then = lambda: os.kill(os.getpid(), signal.SIGTERM)
        done = run_cli("call", *NEEDED)
        assert (done.code, done.err) == (143, "gpuvc: terminated; outputs that were not whole yet are removed.\n")
        assert signal.getsignal(signal.SIGTERM) == before

    @pytest.mark.parametrize("command, word", [("cal", "call"), ("piluep", "pileup")])
    def test_unknown_command(self, run_cli, command, word):
        done = run_cli(command)
        assert done.code == 2 and f"Did you mean {word}?" in done.err

    def test_options_without_command(self, run_cli):
        assert "Did you mean gpuvc call -R" in run_cli("-R", "ref.fa").err

    def test_nothing_asked(self, run_cli):
        done = run_cli()
        assert done.code == 2 and "usage:" in done.err and done.out == ""

    @pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"]])
    def test_help(self, run_cli, arguments):
        done = run_cli(*arguments)
        assert done.code == 0 and "usage: gpuvc COMMAND" in done.out and "exit codes:" in done.out and done.err == ""

    @pytest.mark.parametrize("command", COMMANDS)
    def test_help_of_commands_names_every_option_and_output(self, run_cli, command):
        done = run_cli(command, "--help")
        assert done.code == 0 and f"usage: gpuvc {command}" in done.out
        assert all(name in done.out for option in COMMANDS[command].options for name in option.names)
        assert command in ("doctor", "explain") or "output file" in done.out
        assert max(map(len, done.out.splitlines())) < 160

    def test_version(self, run_cli):
        from gpuvc import __version__

        assert run_cli("--version").out == run_cli("call", "--version").out == f"gpuvc {__version__}\n"

    def test_pileup_and_doctor_know_their_options_only(self, run_cli):
        assert "no such option" in run_cli("pileup", "-R", "r", "-I", "b", "-ploidy", "1").err
        assert run_cli("doctor", "--fast").code == 2

    def test_a_reader_that_goes_away_is_no_error(self):
        program = "import sys; from gpuvc.cli import main; sys.exit(main(['call', '--help']))"
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([sys.executable, "-c", program], stdout=write_end, stderr=subprocess.PIPE, text=True)
        os.close(write_end)
        assert (done.returncode, done.stderr) == (141, "")
