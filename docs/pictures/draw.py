"""The pictures of docs/how-it-works.md, from the bundled reads: one place through every stage, as a run makes them.

python docs/pictures/draw.py            draws them beside this file
python docs/pictures/draw.py FOLDER     elsewhere
"""

import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

import gpuvc  # noqa: E402
from gpuvc.assembly import assemble as assembly  # noqa: E402
from gpuvc.assembly.graph import COUNT, IS_REF, LENGTH, N_EDGES, N_VERTICES, PLACE, REMOVED, SOURCE, TARGET  # noqa: E402
from gpuvc.batches import RegionBatch  # noqa: E402
from gpuvc.kernels.codes import BASES  # noqa: E402
from gpuvc.likelihoods.read_quality import GAP_CONTINUATION, hmm_base_quals, repeat_gap_open, repeat_gap_open_quals  # noqa: E402
from gpuvc.output.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, figure, image  # noqa: E402
from reference.oracles import pairhmm  # noqa: E402

REFERENCE, READS = (str(REPOSITORY / "reference" / "data" / name) for name in ("chr20.fa", "NA12878.chr20.100kb.bam"))
PLACE_SHOWN = "chr20:102,101"  # C > CTTT, and in the same region 102,075 T > G
REGION_SHOWN = "chr20:102,020-102,160"
INK, PAPER = "#24292f", "#f6f8fa"
HAPLOTYPES = {"reference": GREY, "SNV": ORANGE, "insertion": GREEN, "both": BLUE}  # as plot() gives them colours


def letters(codes):
    return "".join(BASES[code] for code in codes)


def column(array, offsets, row):
    return array[offsets[row] : offsets[row + 1]]


def haplotype_names(look):
    """Of each haplotype what it has of the region's two events."""
    bounds = look.haplotypes.haplotype_event_offsets
    names = {(): "reference", (0,): "SNV", (1,): "insertion", (0, 1): "both"}
    return [names[tuple(sorted(column(look.haplotypes.haplotype_events, bounds, h).tolist()))] for h in range(look.haplotypes.n_haplotypes)]


# ---------------------------------------------------------------------------------------------------------------- the whole run


def pipeline(path):
    """Boxes of the stages, with the counts of the run on all bundled reads."""
    run = gpuvc.call_variants(REFERENCE, READS)
    reads, filters = run.report["reads"], run.report["records"]["by_filter"]
    stages = [
        ("Reads", "BAM or CRAM becomes\ncolumns of numbers", f"{reads['seen']:,} reads", BLUE),
        ("Filters", "duplicates, unmapped,\nbadly placed ones go", f"{reads['used']:,} reads", BLUE),
        ("Activity", "where do reads\ndiffer from the reference?", f"{run.report['targets_bp']:,} bp", GREEN),
        ("Active regions", "what is called together", f"{run.report['regions']:,} regions", GREEN),
        ("Assembly", "the sequences that the\nregion's reads spell", "haplotypes", ORANGE),
        ("PairHMM", "how well does each\nexplain each read?", "reads × haplotypes", ORANGE),
        ("Genotypes", "which pair of alleles\nexplains all reads best?", f"{run.n_records:,} records", PURPLE),
        ("Filters", "what errors would explain\nas well is marked", f"{filters['PASS']:,} pass", PURPLE),
    ]
    with figure(9.0, 3.1) as (drawn, axis):
        axis.set(xlim=(0, 4), ylim=(0, 2.05))
        axis.axis("off")
        for n, (name, what, count, colour) in enumerate(stages):
            x, y = n % 4, 1.08 if n < 4 else 0.04
            box(axis, x + 0.06, y, 0.8, 0.88, colour)
            axis.text(x + 0.46, y + 0.71, name, ha="center", va="center", fontsize=11, fontweight="bold", color=INK)
            axis.text(x + 0.46, y + 0.43, what, ha="center", va="center", fontsize=8.5, color=INK)
            axis.text(x + 0.46, y + 0.13, count, ha="center", va="center", fontsize=8.5, color=colour, fontweight="bold")
            if n % 4 < 3:
                arrow(axis, (x + 0.87, y + 0.44), (x + 1.05, y + 0.44))
        axis.plot([3.46, 3.46, 0.46, 0.46], [1.07, 1.0, 1.0, 0.99], color=INK, linewidth=1.2)
        arrow(axis, (0.46, 1.0), (0.46, 0.93))
        path.write_bytes(image(drawn, ".svg"))


def box(axis, x, y, width, height, colour):
    from matplotlib.patches import FancyBboxPatch

    shape = FancyBboxPatch(
        (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.05", facecolor=PAPER, edgecolor=colour, linewidth=1.6
    )
    axis.add_patch(shape)


def arrow(axis, start, end):
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0})


# ---------------------------------------------------------------------------------------------------------------- assembly


def graph_of(look):
    """(pieces: vertex → bases, joints: [(from, to, reads, is of the reference)]) as assembly leaves them in its workspace."""
    kept = []

    def make(**size):
        kept.append(assembly_workspace(**size))
        return kept[-1]

    assembly_workspace = assembly.make_workspace
    one = slice(look.region, look.region + 1)
    columns = (getattr(look.regions, name)[one] for name in ("start", "end", "padded_start", "padded_end"))
    regions = RegionBatch(look.regions.contig_id, *columns)
    with patch.object(assembly, "make_workspace", make):
        assembly.assemble(regions, look.assembled_reads, look.reference, look.reference_start, gpuvc.Settings())
    w = kept[-1]
    vertices, edges = w.tables[2][: w.sizes[1, N_VERTICES]], w.tables[3][: w.sizes[1, N_EDGES]]
    pieces = {
        v: letters(w.spelled[row[PLACE] : row[PLACE] + row[LENGTH]]) for v, row in enumerate(vertices.tolist()) if row[LENGTH] != REMOVED
    }
    return pieces, [(e[SOURCE], e[TARGET], e[COUNT], bool(e[IS_REF])) for e in edges.tolist() if e[SOURCE] != REMOVED]


def graph(path, look):
    """The graph of the region, and below it the haplotypes that its paths spell."""
    pieces, joints = graph_of(look)
    is_ref = {v for joint in joints if joint[3] for v in joint[:2]}
    depth = dict.fromkeys(pieces, 0)
    for _ in pieces:  # longest way from the source
        for source, target, *_ in joints:
            depth[target] = max(depth[target], depth[source] + 1)
    # What only the reference's shortcut passes over stands beside it.
    places = {v: (2.0 * depth[v], 1.0 if v in is_ref else 0.25) for v in pieces}
    half = {v: 0.72 if len(bases) > 5 else 0.13 + 0.07 * len(bases) for v, bases in pieces.items()}
    with figure(9.0, 3.6) as (drawn, axis):
        axis.axis("off")
        for source, target, n, of_reference in joints:
            (x0, y0), (x1, y1) = places[source], places[target]
            start, end = (x0 + half[source], y0), (x1 - half[target], y1)
            colour = INK if of_reference else PURPLE
            style = {"arrowstyle": "-|>", "color": colour, "linewidth": n / 12, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11}
            axis.annotate("", end, start, arrowprops=style)
            axis.text((start[0] + end[0]) / 2, (y0 + y1) / 2 + 0.1, f"{n}", ha="center", fontsize=8, color=colour)
        for v, bases in pieces.items():
            x, y = places[v]
            colour = INK if v in is_ref else PURPLE
            box(axis, x - half[v], y - 0.17, 2 * half[v], 0.34, colour)
            shown = bases if len(bases) <= 5 else f"…{bases[-12:]}" if depth[v] < max(depth.values()) else f"{bases[:12]}…"
            axis.text(x, y, shown, ha="center", va="center", fontsize=8.5, family="monospace", color=colour)
            if len(bases) > 5:
                axis.text(x, y - 0.27, f"{len(bases)} bases", ha="center", va="center", fontsize=7.5, color=INK)
        top = -0.55
        axis.text(-0.72, top + 0.3, "Each way through is a haplotype:", fontsize=9, color=INK)
        names = haplotype_names(look)
        bubbles = [(places[2][0], "T", "G"), (places[3][0], "", "TTT")]
        for row, name in enumerate(HAPLOTYPES):
            y = top - 0.29 * row
            axis.plot(
                [-0.72, max(x for x, _ in places.values()) + 0.72],
                [y, y],
                color=HAPLOTYPES[name],
                linewidth=12,
                solid_capstyle="butt",
                alpha=0.4,
            )
            for (x, of_reference, other), has in zip(bubbles, (name in ("SNV", "both"), name in ("insertion", "both"))):
                text = other if has else of_reference
                axis.text(x, y, text, ha="center", va="center_baseline", fontsize=8.5, family="monospace", fontweight="bold", color=INK)
            axis.text(max(x for x, _ in places.values()) + 0.85, y, name, va="center", fontsize=8.5, color=INK)
        assert sorted(names) == sorted(HAPLOTYPES)
        axis.set(xlim=(-0.8, 9.9), ylim=(top - 1.0, 1.4))
        path.write_bytes(image(drawn, ".svg"))


# ---------------------------------------------------------------------------------------------------------------- likelihoods


def matrix_of(look, row, haplotype):
    """(log10 of the forward probabilities [read base, haplotype base], log10 likelihood) of row `row` of the region's reads."""
    reads, h = look.region_reads, look.haplotypes
    read = column(reads.bases, reads.base_offsets, row)
    offsets = np.array([0, len(read)])
    quals, gaps = np.empty(len(read), np.uint8), np.empty(len(read), np.uint8)
    mapq = look.reads.mapq[reads.read[row : row + 1]]
    settings = gpuvc.Settings()
    own = column(reads.base_quals, reads.base_offsets, row)
    hmm_base_quals(offsets, own, mapq, settings.base_quality_score_threshold, settings.cap_base_qualities_to_mapq, quals)
    repeat_gap_open_quals(offsets, read, repeat_gap_open(), gaps)
    bases = column(h.bases, h.base_offsets, haplotype).tolist()
    sums = [
        [m + i + d for m, i, d in zip(*matrices)][1:]
        for matrices in pairhmm.rows(read.tolist(), quals.tolist(), gaps.tolist(), gaps.tolist(), [GAP_CONTINUATION] * len(read), bases)
    ]
    total = pairhmm.log10_likelihood(read.tolist(), quals.tolist(), gaps.tolist(), gaps.tolist(), [GAP_CONTINUATION] * len(read), bases)
    return np.log10(np.array(sums)), total


def read_with(look, name):
    """A row of the region's reads that fits haplotype `name` best by far and reaches far to either side of both events."""
    h = haplotype_names(look).index(name)
    others = [k for k in range(look.haplotypes.n_haplotypes) if k != h]
    margin = look.likelihoods[:, h] - look.likelihoods[:, others].max(axis=1)
    reads = look.region_reads
    first, last = look.loci[0].pos, look.loci[-1].pos
    room = np.minimum(first - reads.pos, reads.end - last)
    return int(np.argmax(np.where(np.isnan(margin) | (margin < 2), -np.inf, room)))


def matrices(path, look):
    """One read against two haplotypes."""
    row = read_with(look, "both")
    names = haplotype_names(look)
    with figure(9.0, 3.9, 1, 2, sharey=True) as (drawn, axes):
        for axis, name in zip(axes, ("reference", "both")):
            forward, total = matrix_of(look, row, names.index(name))
            below = forward - forward.max(axis=1, keepdims=True)
            shown = axis.imshow(below, cmap="viridis", vmin=-12, vmax=0, aspect="auto", interpolation="nearest")
            axis.set(title=f"Haplotype “{name}”: likelihood 10$^{{{total:.1f}}}$", xlabel="base of the haplotype")
            axis.grid(False)
            if name == "reference":
                note(axis, "the G of the read\nis an error here", (63, 39), (95, 27))
                note(axis, "and three bases\nmust be inserted", (101, 79), (118, 60))
            else:
                note(axis, "every base as the\nhaplotype has it", (78, 53), (100, 36))
        axes[0].set(ylabel="base of the read")
        drawn.colorbar(shown, ax=axes, label="log10 below the row's best", shrink=0.8)
        path.write_bytes(image(drawn, ".png"))


def note(axis, text, at, place):
    axis.annotate(text, at, place, color="white", fontsize=8.5, arrowprops={"arrowstyle": "->", "color": "white", "shrinkB": 6})


def genotypes(path, look):
    """Reads against haplotypes, what that says of the alleles of the insertion's locus, and the genotypes."""
    names = haplotype_names(look)
    order = [names.index(name) for name in HAPLOTYPES]
    scored = look.likelihoods[look.kept][:, order]
    scored = scored[~np.isnan(scored).any(axis=1)]
    below = scored - scored.max(axis=1, keepdims=True)
    below = below[np.lexsort((*below.T[::-1],))]
    locus = look.loci[-1]
    penalties = np.sort(locus.counted[:, 0] - locus.counted[:, 1])[::-1]
    with figure(9.0, 3.9, 1, 3, gridspec_kw={"width_ratios": [1.5, 1, 0.75]}) as (drawn, axes):
        shown = axes[0].imshow(below, cmap="viridis", vmin=-4.5, vmax=0, aspect="auto", interpolation="nearest")
        axes[0].set(title="Reads × haplotypes", ylabel=f"{len(below)} reads")
        axes[0].set_xticks(range(4), HAPLOTYPES, fontsize=8)
        axes[0].grid(False)
        drawn.colorbar(shown, ax=axes[0], label="log10 below the read's best", shrink=0.8, aspect=30)
        ref, alt = locus.alleles
        colours = np.where(penalties > 0, GREY, BLUE)
        axes[1].barh(range(len(penalties)), penalties, height=1.0, color=colours, linewidth=0)
        axes[1].set(
            title=f"What each says of {ref} > {alt}", xlabel=f"log10, {ref} against {alt}", ylabel=f"{len(penalties)} reads over the locus"
        )
        axes[1].invert_yaxis()
        pls = locus.phred_likelihoods[0].tolist()
        bars = axes[2].bar(["0/0", "0/1", "1/1"], pls, color=GREY, width=0.6)
        axes[2].bar_label(bars, labels=[f"{pl}" if pl else "0, the best" for pl in pls], fontsize=9)
        axes[2].set(title="Genotypes: PL", ylabel="phred worse than the best", ylim=(0, 1.08 * max(pls)))
        path.write_bytes(image(drawn, ".png"))


def pile(path):
    """The region with its reads, as `plot()` of a notebook draws it."""
    with gpuvc.open(READS, REFERENCE) as sample:
        sample[REGION_SHOWN].plot(max_rows=40).save(path)


def draw(folder):
    """Write every picture into the folder."""
    look = gpuvc.look_inside(REFERENCE, READS, PLACE_SHOWN)
    pipeline(folder / "pipeline.svg")
    pile(folder / "pile.png")
    graph(folder / "graph.svg", look)
    matrices(folder / "pairhmm.png", look)
    genotypes(folder / "genotypes.png", look)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
