"""The run report as a page: of any run, alone, and safe whatever names stand in it; and as files for MultiQC."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from gpuvc import Settings, UsageError, call_variants
from gpuvc.output import page
from tests.builders import haplotype, random_sequence, reads_of, write_bam, write_fasta
from tests.conftest import REPOSITORY

HOSTILE = '</script><script>alert("1")</script>&<b>$x^$'


class Page(HTMLParser):
    """Elements with attributes, the text outside of scripts, and the embedded report."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.raw, self._in = [], [], "", []
        self.feed(text)
        self.report = json.loads(self.raw)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._in.append(tag)

    def handle_endtag(self, tag):
        if self._in and self._in[-1] == tag:
            self._in.pop()

    def handle_data(self, data):
        if self._in == ["script"]:
            self.raw += data
        elif not self._in:
            self.words.append(data.strip())

    @property
    def text(self):
        return " ".join(word for word in self.words if word)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Two contigs, reads with an SNV and a deletion on one of them; their sample has a hostile name."""
    folder = tmp_path_factory.mktemp("page")
    sequence = random_sequence(3_000, 5)
    contigs = {"c1": sequence, "c2": random_sequence(2_000, 6)}
    snv = {"A": "G", "G": "A", "C": "T", "T": "C"}[sequence[1_000]]
    other = haplotype(sequence, (1_000, sequence[1_000], snv), (2_000, sequence[2_000:2_003], sequence[2_000]))
    reads = [
        *reads_of(haplotype(sequence), step=5, mapq=60),
        *reads_of(other, step=5, mapq=60),
        *reads_of(haplotype(sequence), step=97, mapq=0),
    ]
    return SimpleNamespace(
        reads=reads, contigs=contigs, reference=write_fasta(folder / "r.fa", contigs),
        bam=write_bam(folder / "r.bam", reads, contigs, sample=HOSTILE),
        second=write_bam(folder / "s.bam", reads[::2], contigs, sample="second"),
        empty=write_bam(folder / "e.bam", [], contigs, sample="none"),
    )  # fmt: skip


def page_of(made_up, tmp_path, alignments, **options):
    path = tmp_path / "r.html"
    call_variants(made_up.reference, alignments, str(tmp_path / "r.vcf"), report=str(path), device="cpu", **options)
    text = path.read_text()
    assert len(text) < 600_000
    return Page(text)


def test_a_page_needs_nothing_else(made_up, tmp_path):
    found = page_of(made_up, tmp_path, made_up.bam)
    for tag, attributes in found.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed") or attributes == {"rel": "icon", "href": "data:,"}
        assert not {"src", "action"} & set(attributes)
        assert all(value.startswith(("#", "data:")) for name, value in attributes.items() if name in ("href", "xlink:href"))
        assert tag != "script" or attributes["type"] == "application/json"
        assert "@import" not in attributes.get("style", "") and not re.search(r"url\((?!#)", attributes.get("style", ""))
    names = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(names) == len(set(names))


def test_hostile_names_stay_text(made_up, tmp_path):
    found = page_of(made_up, tmp_path, [made_up.bam, made_up.second], command_line=f"gpuvc {HOSTILE}")
    assert found.text.count(HOSTILE) > 2
    assert [tag for tag, _ in found.elements if tag in ("script", "b")].count("script") == 1
    assert found.report["command"] == f"gpuvc {HOSTILE}"


def test_figures_are_those_of_the_report(made_up, tmp_path):
    found = page_of(made_up, tmp_path, made_up.bam)
    (sample,) = found.report["statistics"]["samples"]
    assert sum(sample["substitutions"].values()) == 1 and sample["indel_lengths"] == {"-2": 1}
    assert found.report["reads"]["filtered"] == {"MappingQualityReadFilter": 31}
    for fact in ("2 records", "1 SNVs", "1 indels", f"{sample['depth']['mean']:.1f}x mean depth", "MappingQualityReadFilter 31", "numba"):
        assert fact in found.text, fact
    labels = [attributes["aria-label"] for tag, attributes in found.elements if tag == "figure"]
    assert len(labels) == 9 == len([tag for tag, _ in found.elements if tag == "svg"])


@pytest.mark.parametrize("kind", ["empty", "GVCF", "no targets with reads", "pileup"])
def test_any_run_has_a_page(made_up, tmp_path, kind):
    options = {
        "empty": {},
        "GVCF": {"settings": Settings(emit_ref_confidence="GVCF")},
        "no targets with reads": {"intervals": ["c2"]},
        "pileup": {"settings": Settings(engine="pileup")},
    }[kind]
    found = page_of(made_up, tmp_path, made_up.empty if kind == "empty" else made_up.bam, **options)
    depth = found.report["statistics"]["samples"][0]["depth"]
    if kind in ("empty", "no targets with reads"):
        assert depth["mean"] == 0 and "0 records" in found.text and found.report["statistics"]["positions"] in (5_000, 2_000)
    else:
        assert depth["mean"] > 10


def test_several_filters_of_a_record_are_each_explained():
    both = page._meaning("AlleleBalance;Stutter")
    assert both.count("Heterozygous") == 2 and page._meaning("PASS") == ""


def test_every_sample_stands_in_the_legends(made_up, tmp_path):
    second = write_bam(tmp_path / "s.bam", made_up.reads[::2], made_up.contigs, sample="_second")
    found = page_of(made_up, tmp_path, [made_up.bam, second])
    assert found.text.count("_second") > 6  # in four legends beside the tables


def test_settings_that_differ_are_named(made_up, tmp_path):
    found = page_of(made_up, tmp_path, made_up.bam, settings=Settings(min_base_quality=12))
    assert "min_base_quality 12 10" in found.text


def test_truth_is_compared(demo_data, tmp_path, run_cli):
    data = REPOSITORY / "reference" / "data"
    arguments = ["call", "-R", demo_data.reference, "-I", demo_data.bam, "-L", "chr20:40000-60000", "-O", tmp_path / "a.vcf.gz"]
    reports = ["--report", tmp_path / "a.html", "--report", tmp_path / "a.json"]
    done = run_cli(*arguments, *reports, "--truth", data / "truth.vcf.gz", "--truth-regions", data / "confident.bed")
    assert done.code == 0, done.err
    score = json.loads((tmp_path / "a.json").read_text())["evaluation"]["classes"]["SNV"]
    assert score["tp"] > 10 and score["fp"] == 0
    assert f"SNV {score['tp']:,} 0 {score['fn']:,}" in Page((tmp_path / "a.html").read_text()).text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--report", "a.txt"], "option --report: found a.txt, expected a name that ends in .html, _mqc.json or .json"),
        (["--truth", "t.vcf"], "option --truth: found it without a file of calls and a report"),
        (["--report", "a.json", "--truth-regions", "t.bed"], "option --truth-regions: found it alone"),
        (["--report", "a.json", "--truth", "none.vcf"], "none.vcf"),
        (["--report", "a.html", "--report", "a.html"], "option --report: found a.html, which is the --report as well"),
    ],
)
def test_what_cannot_be_is_said_before_the_run(made_up, tmp_path, run_cli, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    done = run_cli("call", "-R", made_up.reference, "-I", made_up.bam, "-O", "a.vcf", *options)
    assert done.code in (1, 2) and said in done.err and len(done.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(page, "find_spec", lambda name: None if name == "jinja2" else name)
    with pytest.raises(UsageError, match=r"option --report a.html: found no Jinja2, .* pip install 'gpuvc\[report\]'"):
        page.require_libraries("option --report a.html")
    assert not page.has_libraries()


def test_a_summary_in_a_notebook(made_up):
    summary = call_variants(made_up.reference, made_up.bam, device="cpu")
    shown = summary._repr_html_()
    assert "&lt;script&gt;" in shown and "<script" not in shown and ">2</b>" in shown


# ------------------------------------------------------------------------------------------------------------------- MultiQC


def test_multiqc_lays_runs_side_by_side(made_up, tmp_path):
    pytest.importorskip("multiqc")
    for name, sample in (("a", "first"), ("b", "second")):
        bam = write_bam(tmp_path / f"{name}.bam", made_up.reads, made_up.contigs, sample=sample)
        reports = [str(tmp_path / f"{name}_mqc.json"), str(tmp_path / f"{name}.json")]
        call_variants(made_up.reference, bam, str(tmp_path / f"{name}.vcf"), report=reports, device="cpu")
    program = Path(sys.executable).with_name("multiqc")
    command = [program, "--no-version-check", "--data-format", "json", "--outdir", tmp_path / "out", tmp_path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "multiqc_report.html").exists()
    data = json.loads((tmp_path / "out" / "multiqc_data" / "multiqc_data.json").read_text())
    general = {sample: row for section in data["report_general_stats_data"].values() for sample, row in section.items()}
    for name, sample in (("a", "first"), ("b", "second")):
        report = json.loads((tmp_path / f"{name}.json").read_text())
        depth = report["statistics"]["samples"][0]["depth"]
        expected = {
            "records": 2,
            "passed": 2,
            "snvs": 1,
            "indels": 1,
            "depth": depth["mean"],
            "at_least_20x": 100 * depth["at_least"]["20"],
        }
        assert expected.items() <= general[sample].items()
    (bars,) = (plot for name, plot in data["report_plot_data"].items() if "gpuvc_reads" in name)
    assert all(word in json.dumps(bars) for word in ("first", "second", "used", "MappingQualityReadFilter"))


# ------------------------------------------------------------------------------------------------------------------- a browser


@pytest.fixture(scope="module")
def chromium():
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip(f"needs a browser: none of {', '.join(names)} is on PATH")
    return program


def opened(chromium, path, tmp_path, picture, width=1200):
    """(messages on the console, addresses asked for) when the browser opens a file, of which it takes a picture."""
    net_log, profile = tmp_path / "net.json", tmp_path / "profile"
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND", "--no-first-run",
        f"--user-data-dir={profile}", "--enable-logging=stderr",
        f"--log-net-log={net_log}", f"--window-size={width},3600", f"--screenshot={picture}", path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0 and picture.exists(), done.stderr
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    requests = [event["params"] for event in json.loads(net_log.read_text())["events"] if "initiator" in event.get("params", {})]
    # What the browser asks for by itself, such as its own updates, has no page that asks.
    return console, {request["url"] for request in requests if request["initiator"] != "not an origin"}


def test_a_browser_finds_nothing_to_say_and_asks_for_nothing(made_up, tmp_path, chromium):
    page_of(made_up, tmp_path, [made_up.bam, made_up.second])
    folder = REPOSITORY / "test-output"
    folder.mkdir(exist_ok=True)
    picture = folder / "report.png"
    picture.unlink(missing_ok=True)
    console, asked = opened(chromium, tmp_path / "r.html", tmp_path, picture)
    assert (console, asked) == ([], set())
    assert picture.stat().st_size > 50_000


def test_a_browser_would_find_it(tmp_path, chromium):
    path = tmp_path / "bad.html"
    path.write_text('<!DOCTYPE html><title>x</title><img src="http://127.0.0.1:9/x.png"><script>console.error("wrong")</script>')
    console, asked = opened(chromium, path, tmp_path, tmp_path / "bad.png")
    assert any("wrong" in line for line in console) and "http://127.0.0.1:9/x.png" in asked
