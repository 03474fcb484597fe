"""`gpuvc explain` as text: one paragraph a stage, the picture, and the verdict last."""

from rich.table import Table

MOST_HAPLOTYPES = 12  # shown; the others are in the JSON
LABEL = 12  # letters


def print_explanation(explanation, console):
    """Print what `gpuvc.explain` gives on a rich Console."""
    x, place = explanation, explanation["place"]

    def say(label, text, style=None):
        console.print(f"{label:<{LABEL}}{text}", style=style, soft_wrap=True, markup=False)

    allele = x["allele"]
    about = _allele(allele) if allele else "no other allele in the reads"
    say(f"{place['contig']}:{place['pos']:,}", f"  {place['reference']}   {'asked for' if x['asked_for_allele'] else 'about'}: {about}")
    say("reads", _reads(x["reads"]))
    say("alleles", "   ".join(_shown(entry) for entry in x["alleles"]))
    activity = x["activity"]
    mark = "above" if activity["at_place"] > activity["threshold"] else "not above"
    say("activity", f"{activity['at_place']:.3g} here ({activity['own']:.3g} before smoothing), {mark} {activity['threshold']:g}")
    region, assembly = x["region"], x["assembly"]
    if region is None:
        say("region", "no active region holds the place")
    else:
        say(
            "region", f"{region['start']:,}-{region['end']:,}, assembled over {region['padded_start']:,}-{region['padded_end']:,}"
        )  # fmt: skip
        how = "read straight from the reads' alignments"
        if not assembly["straight_from_reads"]:
            how = ", ".join(f"k {entry['k']}: {entry['outcome']}" for entry in assembly["kmers"])
        say("assembly", f"{assembly['reads']} reads, {assembly['haplotypes']} haplotypes; {how}")
        if x["haplotypes"]:
            console.print(_haplotype_table(x["haplotypes"]))
    if x["likelihoods"]:
        console.print(_likelihood_table(x["likelihoods"]))
    genotyping = x["genotyping"]
    if genotyping:
        for sample, pls in zip(x["samples"], genotyping["phred_likelihoods"], strict=True):
            say("genotype", f"{sample}, PL of {','.join(genotyping['alleles'])}: " + "  ".join(f"{g} {pl}" for g, pl in pls.items()))
        prior = "" if genotyping["prior"] is None else f"; prior {genotyping['prior']:.3g} a copy"
        own = "" if genotyping["allele_phred"] is None else f", the allele's own {genotyping['allele_phred']:.1f}"
        say("QUAL", f"{_qual(genotyping)}{own}, written from {genotyping['threshold']:g}{prior}")
    for call in x["calls"]:
        if call["pos"] == (allele or place)["pos"]:
            info = "  ".join(f"{key} {call['info'][key]:.3g}" for key in ("FS", "SOR", "MQ", "QD") if call["info"].get(key) is not None)
            depths = " ".join(",".join(map(str, sample["depths"])) for sample in call["samples"] if sample["depths"])
            say(
                "record",
                f"{call['ref']}>{','.join(call['alts'])}  QUAL {_qual(call)}  {';'.join(call['filter'])}  AD {depths}  {info}",
            )
            say("imbalance", f"{call['imbalance_phred']:.1f} phred likelier from three or four copies than from two")
    console.print()
    for line in x["picture"]:
        console.print(line, soft_wrap=True, markup=False)
    console.print()
    colour = {"called": "bold green", "filtered": "bold yellow", "not called": "bold red"}[x["verdict"]["outcome"]]
    console.print(x["verdict"]["text"], style=colour, soft_wrap=True, markup=False)


def _qual(entry):
    return "infinite" if entry["qual"] is None else f"{entry['qual']:.1f}"


def _allele(entry):
    return f"{entry['pos']:,} {entry['ref']}>{entry['alt']}"


def _reads(reads):
    text = f"{reads['over']} over the place, {reads['counted']} count"
    left_out = ", ".join(f"{name} {n}" for name, n in reads["left_out"].items())
    return f"{text}; left out: {left_out}" if left_out else text


def _shown(entry):
    name = entry["ref"] if entry["ref"] == entry["alt"] else f"{entry['ref']}>{entry['alt']}"
    text = f"{name} {entry['forward']}+ {entry['reverse']}-"
    return f"{text} (left out {entry['in_reads_left_out']})" if entry["in_reads_left_out"] else text


def _table(titles):
    table = Table(title_justify="left", show_header=True)
    for title in titles:
        table.add_column(title, justify="left" if title in ("events", "allele") else "right")
    return table


def _haplotype_table(haplotypes):
    table = _table(("haplotype", "reads", "sure", "log10 score", "events"))
    best = sorted(haplotypes, key=lambda entry: (not entry["is_reference"], -entry["reads"]))[:MOST_HAPLOTYPES]
    for entry in sorted(best, key=lambda entry: entry["number"]):
        score = "" if entry["score"] is None else f"{entry['score']:.2f}"
        events = "reference" if entry["is_reference"] else ", ".join(_allele(event) for event in entry["events"])
        mark = "*" if entry["has_allele"] else ""
        table.add_row(f"{mark}{entry['number']}", str(entry["reads"]), str(entry["reads_sure"]), score, events)
    if len(haplotypes) > MOST_HAPLOTYPES:
        table.caption = f"and {len(haplotypes) - MOST_HAPLOTYPES} with fewer reads"
    return table


def _likelihood_table(likelihoods):
    with_model = likelihoods["alleles"][0]["counted_log10"] is not None
    own = ("counted", "error weight") if with_model else ()
    table = _table(("allele", "+", "-", "mapq", "log10 margin", *own))
    for entry in likelihoods["alleles"]:
        mapq = "" if entry["mean_mapq"] is None else f"{entry['mean_mapq']:.0f}"
        counts = (f"{entry['counted_log10']:.1f}", f"{entry['error_weight']:.1f}") if with_model else ()
        table.add_row(entry["allele"], str(entry["forward"]), str(entry["reverse"]), mapq, f"{entry['margin_log10']:.1f}", *counts)
    table.caption = f"{likelihoods['undecided']} of {likelihoods['reads']} reads prefer none"
    return table
