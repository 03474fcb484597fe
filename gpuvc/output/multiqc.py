"""Files for MultiQC (--report NAME_mqc.json): its custom content, two sections, which need a file each.

    NAME_mqc.json        columns of its table of general statistics
    NAME.reads_mqc.json  a bar: what became of the reads

Sections of several runs have the same names, so that MultiQC lays their samples side by side.
"""

import json

_ABOUT_READS = "Reads that calling used, and those that it left out, each under the first filter that drops it; from gpuvc's run reports."


def reads_file(path):
    """The name of the second file beside NAME_mqc.json."""
    return path.removesuffix("_mqc.json") + ".reads_mqc.json"


def general_content(report) -> bytes:
    """NAME_mqc.json."""
    headers = {
        "records": {"title": "Records", "description": "Records of the VCF, all samples together", "format": "{:,.0f}"},
        "passed": {"title": "PASS", "description": "Records that no filter marks", "format": "{:,.0f}", "hidden": True},
        "snvs": {"title": "SNVs", "description": "Substitutions in genotypes of records that pass", "format": "{:,.0f}"},
        "indels": {"title": "Indels", "description": "Insertions and deletions in genotypes of records that pass", "format": "{:,.0f}"},
        "ti_tv": {"title": "Ti/Tv", "description": "Transitions to transversions", "min": 0, "format": "{:,.2f}", "scale": "RdYlGn"},
        "het_hom": {"title": "Het/hom", "description": "Heterozygous to homozygous genotypes", "min": 0, "format": "{:,.2f}"},
        "depth": {
            "title": "Depth",
            "description": "Mean depth of used reads over the targets",
            "min": 0,
            "suffix": "x",
            "format": "{:,.1f}",
        },
        "at_least_20x": {
            "title": "≥ 20x",
            "description": "Targets at 20x or more",
            "min": 0,
            "max": 100,
            "suffix": "%",
            "format": "{:,.1f}",
        },
        "f1": {"title": "F1", "description": "Against the truth, all variants", "min": 0, "max": 1, "format": "{:,.4f}"},
        "cpu_s": {"title": "CPU s", "description": "CPU seconds of the run, compilation left out", "hidden": True, "format": "{:,.1f}"},
    }
    truth = report.get("evaluation")
    data = {}
    for sample in report["statistics"]["samples"]:
        at_20 = sample["depth"]["at_least"]["20"]
        row = {
            "records": report["records"]["total"],
            "passed": report["records"]["by_filter"].get("PASS", 0),
            "snvs": sum(sample["substitutions"].values()),
            "indels": sum(sample["indel_lengths"].values()),
            "ti_tv": sample["ti_tv"],
            "het_hom": sample["het_hom"],
            "depth": sample["depth"]["mean"],
            "at_least_20x": None if at_20 is None else 100 * at_20,
            "f1": truth["classes"]["all"]["f1"] if truth and truth["calls"]["sample"] == sample["name"] else None,
            "cpu_s": report["seconds"]["cpu"] - report["seconds"]["compile"],
        }
        data[sample["name"]] = {name: value for name, value in row.items() if value is not None}
    return _content("gpuvc_general", plot_type="generalstats", headers=headers, data=data)


def reads_content(report) -> bytes:
    """NAME.reads_mqc.json."""
    reads = report["reads"]
    # Reads are counted for the run, not by sample: one bar, under the names of the samples.
    bar = {"used": reads["used"], **reads["filtered"]}
    return _content(
        "gpuvc_reads", section_name="gpuvc: reads", description=_ABOUT_READS, plot_type="bargraph",
        pconfig={"id": "gpuvc_reads_plot", "title": "gpuvc: what became of the reads", "ylab": "Reads"},
        data={", ".join(report["inputs"]["samples"]): bar},
    )  # fmt: skip


def _content(name, **content):
    return (json.dumps({"id": name, **content}, indent=1, allow_nan=False) + "\n").encode()
