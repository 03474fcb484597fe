"""Reference blocks of a GVCF: joined where shards meet, and written between the records."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from gpuvc.genotyping.reference_blocks import DEFAULT_BANDS, MOST_GQ
from gpuvc.kernels.codes import ASCII_OF_CODE
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.output.vcf import format_call


class GvcfLines:
    """Turns what shards give, in genome order, into lines; the last block of a shard waits for the next one, where it may go on.

    Parameters
    ----------
    names : sequence of str
        Contigs.
    settings : Settings
    """

    def __init__(self, names, settings):
        self._names, self._settings = names, settings
        self._waiting = None  # ReferenceBlocks of one block

    def of_shard(self, calls, blocks):
        """bytes: the lines that are complete with this shard. blocks None: of a contig without reference, about which nothing is said."""
        if blocks is None:
            return self.rest()
        text = b""
        if self._waiting is not None and goes_on(self._waiting, blocks) and self._settings.emit_ref_confidence == "GVCF":
            blocks = joined(self._waiting, blocks)
        else:
            text = self.rest()
        self._waiting = None
        if blocks.n_blocks and not (calls and calls[-1].pos > blocks.start[-1]):
            self._waiting = last_block(blocks)
            blocks = without_last(blocks)
        return text + self._interleaved(calls, blocks)

    def rest(self):
        """bytes: the lines of the block that waits."""
        blocks, self._waiting = self._waiting, None
        return self._interleaved([], blocks) if blocks is not None else b""

    def _interleaved(self, calls, blocks):
        name = self._names[blocks.contig_id]
        text, offsets = format_blocks(blocks, name, self._settings)
        cuts = offsets[np.searchsorted(blocks.start, [call.pos for call in calls])].tolist()
        parts = [text[: cuts[0]] if cuts else text]
        for call, (first, last) in zip(calls, pairwise([*cuts, len(text)]), strict=True):
            parts += [format_call(call, name).encode(), text[first:last]]
        return b"".join(parts)


def goes_on(one, blocks):
    """Whether the first of `blocks` continues a block."""
    return blocks.n_blocks > 0 and blocks.contig_id == one.contig_id and blocks.start[0] == one.end[-1] and blocks.band[0] == one.band[-1]


def joined(one, blocks):
    """The ReferenceBlocks with a block before them made one with their first."""
    n = max(len(one.last_depths), len(blocks.first_depths))
    counts = np.pad(one.last_depths, (0, n - len(one.last_depths))) + np.pad(blocks.first_depths, (0, n - len(blocks.first_depths)))
    start, ref, pls = blocks.start.copy(), blocks.ref.copy(), blocks.phred_likelihoods.copy()
    least, depth = blocks.min_depth.copy(), blocks.depth.copy()
    start[0], ref[0] = one.start[0], one.ref[0]
    pls[0] = np.minimum(pls[0], one.phred_likelihoods[0])
    least[0], depth[0] = min(least[0], one.min_depth[0]), median(counts)
    return replace(
        blocks, start=start, ref=ref, phred_likelihoods=pls, min_depth=least, depth=depth, first_depths=counts,
        last_depths=counts if blocks.n_blocks == 1 else blocks.last_depths,
    )  # fmt: skip


def median(counts):
    """Median of numbers, the mean of the middle two rounded half up; counts[d] is how many of them are d."""
    up_to = np.cumsum(counts)
    lower, upper = np.searchsorted(up_to, [(up_to[-1] - 1) // 2, up_to[-1] // 2], side="right")
    return int(lower + upper + 1) // 2


def last_block(blocks):
    """The last of several blocks, as ReferenceBlocks."""
    return replace(_rows(blocks, slice(-1, None)), first_depths=blocks.last_depths)


def without_last(blocks):
    """All blocks but the last, to be written; `last_depths` is still that one's."""
    return _rows(blocks, slice(0, -1))


def _rows(blocks, rows):
    columns = ("start", "end", "ref", "band", "phred_likelihoods", "min_depth", "depth")
    other_depth = None if blocks.other_depth is None else blocks.other_depth[rows]
    return replace(blocks, **{name: getattr(blocks, name)[rows] for name in columns}, other_depth=other_depth)


def format_blocks(blocks, contig_name, settings):
    """(bytes of one line a block, int64[B + 1] where each begins)."""
    genotype = "/".join("0" * settings.sample_ploidy)
    if blocks.other_depth is not None:
        middle, keys = "\t<NON_REF>\t.\t.\t.", "GT:AD:DP:GQ:PL"
    else:
        middle, keys = "\t<NON_REF>\t.\t.\tEND=", "GT:DP:GQ:MIN_DP" + ("" if settings.floor_blocks else ":PL")
    before, middle, behind = (np.frombuffer(text.encode(), np.uint8) for text in (f"{contig_name}\t", middle, f"\t{keys}\t{genotype}:"))
    room = len(before) + len(middle) + len(behind) + 11 * (7 + blocks.phred_likelihoods.shape[1])
    text, offsets = np.empty(room * blocks.n_blocks, np.uint8), np.zeros(blocks.n_blocks + 1, np.int64)
    each_position = blocks.other_depth is not None
    write_blocks(
        before, middle, behind, blocks.start, blocks.end, ASCII_OF_CODE[blocks.ref], blocks.band, blocks.phred_likelihoods,
        blocks.min_depth, blocks.depth, blocks.other_depth if each_position else blocks.depth, each_position, settings.floor_blocks, text,
        offsets,
    )  # fmt: skip
    return text[: offsets[-1]].tobytes(), offsets


@inner_kernel
def _put(text, at, word):
    for i in range(word.size):
        text[at + i] = word[i]
    return at + word.size


@inner_kernel
def _put_number(text, at, value):
    """Write a number of at least 0 in decimal → the place behind it."""
    digits = 1
    rest = value // 10
    while rest > 0:
        digits += 1
        rest //= 10
    for i in range(at + digits - 1, at - 1, -1):
        text[i] = 48 + value % 10
        value //= 10
    return at + digits


@kernel
def write_blocks(
    before, middle, behind, start, end, ref, band, pls, min_depth, depth, other_depth, each_position, floor, text, offsets
):  # fmt: skip
    """Write one line a block, and where each begins.

    Parameters
    ----------
    before, middle, behind : uint8[...]
        What stands in every line: before the position, behind the reference base, behind the block's end.
    each_position : bool
        Lines of single positions (BP_RESOLUTION). floor : bool, GQ is the band's least, and there is no PL.
    text : uint8[...]; offsets : int64[B + 1]
        Written.
    """
    at = np.int64(0)
    for b in range(start.size):
        at = _put(text, at, before)
        at = _put_number(text, at, np.int64(start[b]) + 1)
        text[at], text[at + 1], text[at + 2], text[at + 3] = 9, 46, 9, ref[b]
        at = _put(text, at + 4, middle)
        if not each_position:
            at = _put_number(text, at, np.int64(end[b]))
        at = _put(text, at, behind)
        if each_position:
            at = _put_number(text, at, np.int64(depth[b]) - other_depth[b])
            text[at] = 44
            at = _put_number(text, at + 1, np.int64(other_depth[b]))
            text[at] = 58
            at += 1
        at = _put_number(text, at, np.int64(depth[b]))
        text[at] = 58
        quality = np.int64(MOST_GQ)
        for k in range(1, pls.shape[1]):
            quality = min(quality, np.int64(pls[b, k]))
        at = _put_number(text, at + 1, np.int64(band[b]) if floor else quality)
        if not each_position:
            text[at] = 58
            at = _put_number(text, at + 1, np.int64(min_depth[b]))
        if each_position or not floor:
            for k in range(pls.shape[1]):
                text[at] = 58 if k == 0 else 44
                at = _put_number(text, at + 1, np.int64(pls[b, k]))
        text[at] = 10
        at += 1
        offsets[b + 1] = at


def header_lines(settings):
    """The header lines that a GVCF has besides those of a VCF: the symbolic allele, and the bands of GQ as GATK writes them."""
    lines = ['##ALT=<ID=NON_REF,Description="Any allele that is not among those of the record">']
    if settings.emit_ref_confidence == "GVCF":
        bounds = [0, *(settings.gvcf_gq_bands or DEFAULT_BANDS)]
        bounds += [MOST_GQ + 1] if bounds[-1] <= MOST_GQ else []
        lines += sorted(f"##GVCFBlock{low}-{high}=minGQ={low}(inclusive),maxGQ={high}(exclusive)" for low, high in pairwise(bounds))
    return lines
