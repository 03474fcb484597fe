"""A region as a picture: the pile with its haplotypes and calls, or an overview of depth where bases would be too small to see.

    calls, activity       where the caller looked, and what it found
    depth                 with bases that are not the reference's in their colours
    reference
    reads                 packed, grouped and coloured by the haplotype that each fits best
    haplotypes            what they differ in from the reference
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from gpuvc.kernels.codes import CIGAR_S, CODE_OF_ASCII, CONSUMES_READ, FLAG_REVERSE
from gpuvc.output.figures import BASE_COLOURS, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, YELLOW, figure, image, require_matplotlib, svg
from gpuvc.output.files import PartialFile
from gpuvc.output.picture import lay_out

PILE_BP = 450
"""Longest region whose reads are drawn; a longer one is an overview."""
LETTERS_BP = 130
"""Longest region whose bases are written as letters."""
LOW_QUAL = 20
"""Phred: mismatches below it are drawn at half height."""
_LEAST_ACTIVITY = 1e-5  # drawn
_WIDTH = 9.0  # inches
_ROW = 0.062  # inches a read
_LINE = 0.11  # inches a line of text
_TYPES = {"snv": BLUE, "indel": PURPLE}
_HAPLOTYPE_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW)
_REFERENCE, _OTHER, _REFUSED = GREY, "#c9c4bc", "#e3a08c"  # fills of reads
_INK = "#24292f"


class Picture:
    """A figure that shows itself in a notebook, and can be saved.

    figure : matplotlib.figure.Figure
    """

    def __init__(self, drawn: Any) -> None:
        self.figure = drawn
        self._png = image(drawn, ".png")

    def _repr_png_(self) -> tuple[bytes, dict]:
        return self._png, {"width": int(90 * self.figure.get_figwidth())}

    def svg(self) -> str:
        """The picture as an <svg> element."""
        return svg(self.figure)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a .png or .svg file, whole or not at all. Raises OutputError; UsageError for another suffix."""
        from gpuvc.errors import UsageError

        suffix = Path(path).suffix
        if suffix not in (".png", ".svg"):
            raise UsageError(f"picture {path}: found suffix {suffix!r}, expected .png or .svg.")
        with PartialFile(path) as file:
            file.write(self._png if suffix == ".png" else image(self.figure, ".svg"))
            file.commit()

    def __repr__(self) -> str:
        width, height = self.figure.get_size_inches()
        return f"<gpuvc.notebook.pile_figure.Picture, {width:g} x {height:g} inches>"


def pile_figure(region, *, max_rows: int = 70, refused: bool = False, truth: str | os.PathLike[str] | None = None) -> Picture:
    """Picture of a `gpuvc.Region`; see `Region.plot`."""
    require_matplotlib("plot")
    if len(region) > PILE_BP:
        return _overview(region, truth)
    return _pile(region, max_rows, refused, truth)


# ---------------------------------------------------------------------------------------------------------------------- overview


def _overview(region, truth):
    n_rows = 3 if truth is None else 4
    heights = [0.8, *([] if truth is None else [0.25]), 1.6, 0.6]
    with figure(_WIDTH, 1.1 * sum(heights) + 0.3, n_rows, 1, sharex=True, gridspec_kw={"height_ratios": heights}) as (drawn, axes):
        axes = list(axes)
        _title(axes[0], region)
        _call_sticks(axes.pop(0), region)
        if truth is not None:
            _truth(axes.pop(0), region, truth)
        at, depth, other = _binned(region)
        axes[0].fill_between(at, depth, step="mid", color="#c6ccd2", linewidth=0, label="reads")
        axes[0].fill_between(at, other, step="mid", color=RED, linewidth=0, label="with mapping quality 0")
        axes[0].set(ylabel="depth", ylim=(0, max(1, depth.max(initial=0)) * 1.08))
        if other.any():
            axes[0].legend(loc="upper right", ncols=2, fontsize=7)
        _activity(axes[1], region)
        _positions(axes[1], region)
        return Picture(drawn)


def _binned(region, most=1800):
    """(positions, depth, reads of mapping quality 0), means over so many bins at most."""
    size = -(-len(region) // most)
    starts = np.arange(0, len(region), size)
    sizes = np.diff(np.append(starts, len(region)))
    counts = (region.pileup_counts.field(name).astype(np.float64) for name in ("reads", "mapq0_reads"))
    depth, zero = (np.add.reduceat(column, starts) / sizes for column in counts)
    return region.start + 1 + starts + (sizes - 1) / 2, depth, zero


def _call_sticks(axis, region):
    """One stick a call: height QUAL, colour type, hollow where filters mark it."""
    axis.set(ylabel="QUAL", yscale="symlog", ylim=(0, 2e4))
    axis.set_yticks([10, 100, 1000], ["10", "100", "1000"])
    axis.minorticks_off()
    seen = set()
    for call in region.calls:
        kind = "snv" if all(len(alt) == len(call.ref) for alt in call.alts) else "indel"
        colour, passes = _TYPES[kind], not call.filters
        axis.plot([call.pos + 1] * 2, [0, call.qual], color=colour, linewidth=0.9, alpha=0.7)
        label = f"{'SNV' if kind == 'snv' else 'indel'}{'' if passes else ', filtered'}"
        axis.plot(
            call.pos + 1, call.qual, marker="o", markersize=4, color=colour, markerfacecolor=colour if passes else "white",
            linestyle="none", label=None if label in seen else label,
        )  # fmt: skip
        seen.add(label)
    if seen:
        place = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.2}
        axis.legend(**place, ncols=4, fontsize=7, handletextpad=0.1, columnspacing=0.9)


# ---------------------------------------------------------------------------------------------------------------------- pile


def _pile(region, max_rows, refused, truth):
    haplotypes = _shown_haplotypes(region)
    groups = _groups(region, haplotypes, max_rows, refused)
    n_rows = sum(len(rows) for _, _, rows, _ in groups) + 0.8 * max(0, len(groups) - 1)
    n_labels = _rows_of_calls(region)
    panels = [("calls", 0.16 * max(1, max(n_labels, default=0) + 1) + 0.04)]
    panels += [] if truth is None else [("truth", 0.2)]
    panels += [("activity", 0.42), ("depth", 0.75), ("reference", 0.17 if len(region) <= LETTERS_BP else 0.1)]
    panels += [("reads", max(0.5, _ROW * n_rows))]
    panels += [("haplotypes", 0.15 * len(haplotypes) + 0.05)] if haplotypes else []
    heights = [height for _, height in panels]
    height = sum(heights) + 0.11 * len(heights) + 0.5
    with figure(_WIDTH, height, len(panels), 1, sharex=True, gridspec_kw={"height_ratios": heights}) as (drawn, axes):
        by_name = {name: axis for (name, _), axis in zip(panels, axes, strict=True)}
        drawn.get_layout_engine().set(hspace=0.0, h_pad=0.03)
        for axis in axes:
            axis.grid(False)
            for call in region.calls:
                first = call.pos + (len(call.ref) > 1)  # behind the base before a deletion
                axis.axvspan(first + 0.5, call.pos + len(call.ref) + 0.5, color="#fff3bf", zorder=0, linewidth=0)
        for axis in axes[:-1]:
            axis.tick_params(axis="x", length=0)
        _title(axes[0], region)
        _call_labels(by_name["calls"], region, n_labels)
        if truth is not None:
            _truth(by_name["truth"], region, truth)
        _activity(by_name["activity"], region)
        _depth(by_name["depth"], region)
        _reference(by_name["reference"], region)
        _reads(by_name["reads"], region, groups)
        if haplotypes:
            _haplotypes(by_name["haplotypes"], region, haplotypes)
        _positions(axes[-1], region)
        return Picture(drawn)


def _shown_haplotypes(region, most=10):
    """[(active region, haplotype, colour, reads)]: in each active region the reference first, then by reads."""
    table = region.haplotypes
    shown = []
    for g in range(len(region.active_regions)):
        rows = np.flatnonzero(table.active_region == g)
        rows = rows[np.lexsort((-table.n_reads[rows], ~table.is_ref[rows]))]
        colours = [_REFERENCE if table.is_ref[row] else None for row in rows]
        others = iter(_HAPLOTYPE_COLOURS)
        colours = [colour or next(others, _INK) for colour in colours]
        shown += [(g, int(table.haplotype[row]), colour, int(table.n_reads[row])) for row, colour in zip(rows, colours, strict=True)][:most]
    return [entry for entry in shown if entry[3] or entry[2] == _REFERENCE]


def _groups(region, haplotypes, max_rows, refused):
    """[(label, fill, rows of the pile, reads left out)]; a row is a list of rows of `region.reads`."""
    reads, rows = region.reads, region.region_reads
    colour_of = {(g, h): colour for g, h, colour, _ in haplotypes}
    best: dict[int, str] = {}
    for g, read, h in zip(rows.active_region.tolist(), rows.read.tolist(), rows.best_haplotype.tolist()):
        if read >= 0 and h >= 0:
            best.setdefault(read, colour_of.get((g, h), _INK))
    counts = reads.refused_by == ""
    members: dict[str, list[int]] = {}
    for row in np.flatnonzero((reads.end > region.start) & (reads.end > reads.start)).tolist():
        members.setdefault(best.get(row, _OTHER) if counts[row] else _REFUSED, []).append(row)
    numbers: dict[str, list[str]] = {}
    for _, h, colour, _ in haplotypes:
        numbers.setdefault(colour, []).append(str(h))
    order = [_REFERENCE, *_HAPLOTYPE_COLOURS, _INK, _OTHER, *([_REFUSED] if refused else [])]
    present = [colour for colour in order if colour in members]
    packed = {colour: _packed(region.read_batch, members[colour], region) for colour in present}
    total = sum(map(len, packed.values()))
    groups = []
    for colour in present:
        pile = packed[colour]
        n_kept = len(pile) if total <= max_rows else min(len(pile), max(3, max_rows * len(pile) // total))
        kept = [pile[k] for k in np.linspace(0, len(pile) - 1, n_kept).round().astype(int)]
        label = {_REFERENCE: "reference", _OTHER: "other", _REFUSED: "left out"}.get(colour, "")
        if not label:
            label = "haplotype " + "/".join(dict.fromkeys(numbers.get(colour, ["?"])))
        n = len(members[colour])
        groups.append((f"{label}\n{n} read{'s' if n > 1 else ''}", colour, kept, n - sum(map(len, kept))))
    return groups


def _packed(batch, members, region):
    """Rows of reads that do not touch, first come first placed."""
    gap = max(1, len(region) // 120)
    free: list[int] = []
    pile: list[list[int]] = []
    for read in members:
        left, right = _extent(batch, read)
        left, right = max(left, region.start), min(right, region.end)
        for row, end in enumerate(free):
            if end + gap <= left:
                pile[row].append(read)
                free[row] = right
                break
        else:
            pile.append([read])
            free.append(right)
    return pile


def _clips(cigar):
    """Soft-clipped bases at the start and at the end."""
    inner = [int(c) for c in cigar if int(c) & 15 != 5]
    first = inner[0] >> 4 if inner and inner[0] & 15 == CIGAR_S else 0
    last = inner[-1] >> 4 if len(inner) > 1 and inner[-1] & 15 == CIGAR_S else 0
    return first, last


def _extent(batch, row):
    """First position that the read is drawn over, and one past the last, soft clips included."""
    first, last = _clips(batch.cigar[batch.cigar_offsets[row] : batch.cigar_offsets[row + 1]])
    return int(batch.pos[row]) - first, int(batch.ref_end[row]) + last


def _reads(axis, region, groups):
    batch = region.read_batch
    codes = CODE_OF_ASCII[np.frombuffer(region.reference.encode(), np.uint8)]
    bars: dict[str, list] = {}
    clips, gaps, marks, insertions, labels = [], [], [], [], []
    y = 0.0
    for label, colour, pile, n_left_out in groups:
        top = y
        for row in pile:
            for read in row:
                first, last = int(batch.pos[read]), int(batch.ref_end[read])
                cigar = batch.cigar[batch.cigar_offsets[read] : batch.cigar_offsets[read + 1]]
                bases = batch.bases[batch.base_offsets[read] : batch.base_offsets[read + 1]]
                reverse = bool(batch.flag[read] & FLAG_REVERSE)
                cells, inserted = lay_out(first, cigar, bases, codes, region.start, region.start, region.end)
                before, after = _clips(cigar)
                bars.setdefault(colour, []).append(_arrow(first, last, y, reverse, len(region)))
                clips += [(a, b, y) for a, b in ((first - before, first), (last, last + after)) if b > a]
                quals = _quals(batch, read)
                _marks_of(cells, inserted, region.start, y, marks, gaps, insertions, quals)
            y += 1
        lines = [*label.split("\n"), *([f"{n_left_out} not shown"] if n_left_out else [])]
        room = int((y - top) * _ROW / _LINE)
        labels.append(((top + y) / 2 - 0.5, "\n".join(lines) if room >= len(lines) else " · ".join(lines), colour))
        y += 0.8
    axis.set_ylim(max(y - 0.8, 1) - 0.5, -0.6)
    for colour, outlines in bars.items():
        _polygons(axis, outlines, _pale(colour, 0.3), edge=_pale(colour, 0.6))
    _polygons(axis, [_box(a, b, y, 0.3) for a, b, y in clips], "#ffffff", edge=GREY, zorder=2, dotted=True)
    _draw_marks(axis, marks, gaps, insertions, len(region), height=0.42)
    axis.set_yticks([at for at, _, _ in labels], [text for _, text, _ in labels], fontsize=7)
    for tick, (_, _, colour) in zip(axis.get_yticklabels(), labels, strict=True):
        tick.set_color(_INK if colour in (_OTHER, _REFUSED) else _dark(colour))
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _quals(batch, read):
    quals = batch.base_quals[batch.base_offsets[read] : batch.base_offsets[read + 1]]
    cigar = batch.cigar[batch.cigar_offsets[read] : batch.cigar_offsets[read + 1]]
    at, place, of = int(batch.pos[read]), 0, {}
    for operation, length in ((int(c) & 15, int(c) >> 4) for c in cigar):
        takes = bool(1 << operation & CONSUMES_READ)
        if operation in (0, 7, 8):
            of.update(zip(range(at, at + length), quals[place : place + length].tolist()))
        at += length if operation in (0, 2, 3, 7, 8) else 0
        place += length if takes else 0
    return of


def _marks_of(cells, inserted, start, y, marks, gaps, insertions, quals=None):
    """Add (position, row, base, quality) of mismatches, (start, end, row) of deletions, (position, row, bases) of insertions."""
    run = None
    for at, cell in enumerate(cells, start):
        if cell == "*":
            run = at if run is None else run
            continue
        if run is not None:
            gaps.append((run, at, y))
            run = None
        if cell not in " .,":
            marks.append((at, y, cell.upper(), 40 if quals is None else quals.get(at, 40)))
    if run is not None:
        gaps.append((run, start + len(cells), y))
    insertions += [(at, y, bases) for at, bases in inserted.items()]


def _draw_marks(axis, marks, gaps, insertions, n_bp, height):
    """Mismatches as coloured boxes, low ones where the base quality is below LOW_QUAL; deletions as bars, insertions as ticks."""
    for base, colour in BASE_COLOURS.items():
        boxes = [_box(at, at + 1, y, height if qual >= LOW_QUAL else height / 2) for at, y, own, qual in marks if own == base]
        _polygons(axis, boxes, colour, zorder=4)
    _polygons(axis, [_box(a, b, y, height + 0.02) for a, b, y in gaps], "#ffffff", zorder=3)
    _polygons(axis, [_box(a, b, y, 0.09) for a, b, y in gaps], _INK, zorder=4)
    width = max(0.3, n_bp / 450)
    stems = [_box(at + 1 - width / 2, at + 1 + width / 2, y, height + 0.04) for at, y, _ in insertions]
    ends = [(at, y + side * (height - 0.02)) for at, y, _ in insertions for side in (-1, 1)]
    feet = [_box(at + 1 - 1.6 * width, at + 1 + 1.6 * width, y, 0.08) for at, y in ends]
    _polygons(axis, [*stems, *feet], PURPLE, zorder=5)


def _haplotypes(axis, region, haplotypes):
    marks, gaps, insertions, labels = [], [], [], []
    codes = region._codes()
    for y, (g, h, colour, n_reads) in enumerate(haplotypes):
        batch = region.active_region(g).haplotypes
        cigar = batch.cigar[batch.cigar_offsets[h] : batch.cigar_offsets[h + 1]]
        bases = batch.bases[batch.base_offsets[h] : batch.base_offsets[h + 1]]
        start, end = int(batch.start[0]), int(batch.end[0])
        _polygons(axis, [_box(start, end, y, 0.3)], _pale(colour), edge=colour)
        _marks_of(*lay_out(start, cigar, bases, codes, region.start, region.start, region.end), region.start, y, marks, gaps, insertions)
        name = "reference" if batch.is_ref[h] else f"haplotype {h}"
        labels.append((f"{name} · {n_reads} read{'' if n_reads == 1 else 's'}", colour))
    _draw_marks(axis, marks, gaps, insertions, len(region), height=0.32)
    for at, y, bases in insertions:
        text = bases if len(bases) <= 10 else f"{len(bases)} bp"
        axis.text(at + 1 + len(region) / 130, y, f"+{text}", fontsize=6.5, va="center", color=_INK, zorder=6)
    if len(region) <= LETTERS_BP:
        for at, y, base, _ in marks:
            axis.text(at + 1, y, base, ha="center", va="center", fontsize=6.5, color="white", zorder=6, fontweight="bold")
    axis.set_ylim(len(haplotypes) - 0.45, -0.55)
    axis.set_yticks(range(len(labels)), [text for text, _ in labels], fontsize=7)
    for tick, (_, colour) in zip(axis.get_yticklabels(), labels, strict=True):
        tick.set_color(_dark(colour))
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _depth(axis, region):
    pileup = region.pileup
    at = pileup.pos + 1
    depth = pileup.reads
    axis.bar(at, depth, width=1.0, color="#d5dae0", linewidth=0)
    bottom = np.zeros(len(at))
    for base in "ACGT":
        n = (pileup[f"{base}_forward"] + pileup[f"{base}_reverse"]).astype(float)
        n[(pileup.ref == base) | (n < 0.1 * np.maximum(depth, 1)) | (n < 2)] = 0
        if n.any():
            axis.bar(at, n, width=1.0, bottom=bottom, color=BASE_COLOURS[base], linewidth=0)
            bottom += n
    deleted = pileup.deleted_forward + pileup.deleted_reverse
    if deleted.any():
        axis.bar(at, deleted, width=1.0, bottom=depth - deleted, color=_INK, linewidth=0, alpha=0.55)
    axis.set(ylabel="depth", ylim=(0, max(1, int(depth.max(initial=0))) * 1.12))
    axis.locator_params(axis="y", nbins=3)


def _activity(axis, region):
    activity = region.activity
    at = activity.pos + 1
    sticks = np.flatnonzero(activity.raw > _LEAST_ACTIVITY)
    axis.set(ylabel="activity", yscale="log", ylim=(_LEAST_ACTIVITY / 4, 1.6))
    axis.set_yticks([0.001, 1], ["0.001", "1"])
    axis.minorticks_off()
    axis.vlines(at[sticks], _LEAST_ACTIVITY, np.minimum(activity.raw[sticks], 1), color=GREY, linewidth=0.8, alpha=0.6)
    smoothed = np.clip(activity.smoothed, _LEAST_ACTIVITY, 1)
    axis.fill_between(at, smoothed, _LEAST_ACTIVITY, color=_pale(GREEN, 0.35), linewidth=0)
    axis.plot(at, np.where(activity.smoothed > _LEAST_ACTIVITY, smoothed, np.nan), color=GREEN, linewidth=0.9)
    axis.axhline(region.threshold, color=_INK, linewidth=0.6, linestyle=(0, (2, 2)))
    regions = region.active_regions
    for start, end, n in zip(regions.start.tolist(), regions.end.tolist(), regions.n_haplotypes.tolist()):
        y = [_LEAST_ACTIVITY / 2] * 2
        axis.plot([start + 0.5, end + 0.5], y, color=_dark(GREEN) if n else GREY, linewidth=3, solid_capstyle="butt")


def _reference(axis, region):
    from matplotlib.colors import to_rgb

    letters = region.reference
    row = np.array([to_rgb(_pale(BASE_COLOURS[base], 0.85)) for base in letters])[None]
    axis.imshow(row, extent=(region.start + 0.5, region.end + 0.5, 0, 1), aspect="auto", interpolation="nearest")
    if len(letters) <= LETTERS_BP:
        for at, base in enumerate(letters, region.start + 1):
            axis.text(at, 0.46, base, ha="center", va="center", fontsize=min(8, 560 / len(letters)), color="white", fontweight="bold")
    axis.set_yticks([0.5], ["reference"], fontsize=7)
    axis.tick_params(axis="both", length=0)
    axis.spines[:].set_visible(False)
    axis.set_ylim(0, 1)


def _label(call):
    genotypes = " ".join(("|" if s.phase else "/").join("." if a < 0 else str(a) for a in s.genotype) for s in call.samples)
    alleles = [allele if len(allele) <= 9 else f"{allele[:4]}…{len(allele)}" for allele in (call.ref, *call.alts)]
    return f"{call.pos + 1:,} {alleles[0]}>{','.join(alleles[1:])}  {genotypes}  QUAL {call.qual:.0f}  {';'.join(call.filters) or 'PASS'}"


def _rows_of_calls(region):
    """The row that each call's label is written in, so that labels do not touch."""
    letter = len(region) / 135  # bp
    ends: list[float] = []
    rows = []
    for call in region.calls:
        left = call.pos
        right = left + letter * (len(_label(call)) + 3)
        if right > region.end:  # written to the left of its mark
            left, right = left - (right - left), left
        row = next((row for row, end in enumerate(ends) if end <= left), len(ends))
        ends[row : row + 1] = [max(right, call.pos)]
        rows.append(row)
    return rows


def _call_labels(axis, region, rows):
    for call, row in zip(region.calls, rows, strict=True):
        colour = GREEN if not call.filters else ORANGE
        to_left = call.pos + len(region) / 135 * (len(_label(call)) + 3) > region.end
        axis.plot(call.pos + 1, row, marker="D", markersize=4, color=colour, clip_on=False)
        shift = len(region) / 110 * (-1 if to_left else 1)
        axis.text(call.pos + 1 + shift, row, _label(call), fontsize=7.5, va="center", ha="right" if to_left else "left", color=_INK)
    axis.set_ylim(max(rows, default=0) + 0.6, -0.6)
    axis.set_yticks([0], ["calls" if rows else "no calls"], fontsize=7)
    axis.tick_params(axis="both", length=0)
    axis.spines[:].set_visible(False)


def _truth(axis, region, truth):
    from gpuvc.io.variants import read_vcf

    rows = read_vcf(truth, region.name).to_pylist()
    for row in rows:
        axis.plot(row["pos1"], 0, marker="D", markersize=4, color=_INK, clip_on=False)
    axis.set_ylim(-1, 1)
    axis.set_yticks([0], ["truth"], fontsize=7)
    axis.tick_params(axis="both", length=0)
    axis.spines[:].set_visible(False)
    axis.grid(False)


def _title(axis, region):
    axis.set_title(f"{region.name}   {', '.join(region.samples)}", fontsize=10, color=_INK)


def _positions(axis, region):
    axis.set_xlim(region.start + 0.5, region.end + 0.5)
    axis.xaxis.set_major_formatter(lambda x, _: f"{int(x):,}")
    axis.xaxis.get_major_locator().set_params(integer=True, nbins=7)
    axis.tick_params(axis="x", length=3, labelsize=8)
    axis.spines["bottom"].set_visible(True)


# ---------------------------------------------------------------------------------------------------------------------- shapes


def _box(first, last, y, half):
    """Corners of reference positions first to last (0-based, half-open), on an axis of 1-based positions."""
    return [(first + 0.5, y - half), (last + 0.5, y - half), (last + 0.5, y + half), (first + 0.5, y + half)]


def _arrow(first, last, y, reverse, n_bp):
    """Outline of a read, pointed at its 3' end."""
    tip = min(max(0.6, n_bp / 110), (last - first) / 2)
    a, b, half = first + 0.5, last + 0.5, 0.38
    if reverse:
        return [(a, y), (a + tip, y - half), (b, y - half), (b, y + half), (a + tip, y + half)]
    return [(b, y), (b - tip, y + half), (a, y + half), (a, y - half), (b - tip, y - half)]


def _polygons(axis, outlines, colour, edge=None, zorder=1.0, dotted=False):
    if not outlines:
        return
    from matplotlib.collections import PolyCollection

    axis.add_collection(
        PolyCollection(
            outlines, facecolors=colour, edgecolors=edge or "none", linewidths=0.5 if edge else 0, zorder=zorder,
            linestyles=(0, (1, 1)) if dotted else "solid",
        ),
        autolim=False,
    )  # fmt: skip


def _pale(colour, strength=0.4):
    """The colour mixed with white."""
    from matplotlib.colors import to_hex, to_rgb

    return to_hex([1 - strength * (1 - part) for part in to_rgb(colour)])


def _dark(colour):
    """The colour mixed with black, for text."""
    from matplotlib.colors import to_hex, to_rgb

    return to_hex([0.7 * part for part in to_rgb(colour)])
