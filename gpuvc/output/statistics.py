"""What a report shows of reads and records: counts of whole numbers, gathered shard by shard, alike however the run was cut."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from gpuvc.genotyping.filters import is_het
from gpuvc.kernels.codes import N
from gpuvc.kernels.jit import kernel

MOST_DEPTH = 10_000  # deeper positions are counted as this
N_BINS = 400  # about so many pieces of the targets, along the genome; one contig or more never share a piece
MOST_QUALITY = 99  # of genotypes
MOST_INDEL_BP = 50  # longer ones are counted as this
QUAL_EDGES = np.round(10 ** (np.arange(51) / 10), 4)
"""Between the bins of QUAL, phred, ten to a power of ten; the first bin holds what is below 1, the last what is above 100,000, too."""
N_SHARES = 21  # bins of the alternate reads' share in heterozygotes; odd, so that a half lies in the middle of one
DEPTHS_SHOWN = (1, 5, 10, 15, 20, 30, 50, 100)
SUBSTITUTIONS = tuple(f"{ref}>{alt}" for ref in "ACGT" for alt in "ACGT" if ref != alt)
TRANSITIONS = ("A>G", "C>T", "G>A", "T>C")


@kernel
def _add_steps(pos, ref_end, sample, use, start, steps):
    """steps[s, x] += reads of sample s that begin at start + x, less those that end there."""
    size = steps.shape[1] - 1
    for r in use:
        first, last = max(np.int64(pos[r]) - start, 0), min(np.int64(ref_end[r]) - start, size)
        row = sample[r] if sample.size else 0
        if first < last and row >= 0:
            steps[row, first] += 1
            steps[row, last] -= 1


@kernel(allocates=True)
def _count_depths(steps, codes, targets, start, bins_start, bin_bp, n_positions, depth_sums, depth_counts):
    """Count the positions of the targets by depth, and sum their depths by bin; an N that no read covers is no position.

    Returns the greatest depth, at most that of the last column of `depth_counts`.
    """
    most = depth_counts.shape[1] - 1
    n_samples = steps.shape[0]
    depth = np.zeros(n_samples, np.int64)
    greatest = np.int64(0)
    x = np.int64(0)
    for t in range(targets.shape[0]):
        first, last = targets[t, 0] - start, targets[t, 1] - start
        place = first + start - bins_start
        bin_ = place // bin_bp
        left = (bin_ + 1) * bin_bp - place
        while x < last:
            covered = np.int64(0)
            for s in range(n_samples):
                depth[s] += steps[s, x]
                covered |= depth[s]
            if x >= first:
                if left == 0:
                    bin_ += 1
                    left = bin_bp
                left -= 1
                if covered or codes[x] != N:
                    n_positions[bin_] += 1
                    for s in range(n_samples):
                        depth_sums[s, bin_] += depth[s]
                        shown = min(depth[s], most)
                        greatest = max(greatest, shown)
                        depth_counts[s, shown] += 1
            x += 1
    return greatest


@dataclass(slots=True)
class RecordCounts:
    """Of records that pass, by sample; whole numbers, which add up over shards.

    qual : int64[2, len(QUAL_EDGES) + 1]
        Records with an alternate in some genotype, by QUAL: those that pass, and those that a filter marks.
    genotypes : int64[n_samples, 3]
        Genotypes with an alternate: of it alone, with the reference, with another alternate (HOM, HET, TWO).
    substitutions : int64[n_samples, 12]
        Alternates in genotypes, base by base, as SUBSTITUTIONS.
    indel_lengths : int64[n_samples, 2 * MOST_INDEL_BP + 1]
        Alternates in genotypes by change of length; the middle counts nothing.
    genotype_quality : int64[n_samples, MOST_QUALITY + 1]
        Genotypes with an alternate.
    shares : int64[n_samples, 2, N_SHARES]
        Heterozygotes of the reference and an alternate by share of the alternate's reads (AD): of equal length, and indels.
    """

    qual: np.ndarray
    genotypes: np.ndarray
    substitutions: np.ndarray
    indel_lengths: np.ndarray
    genotype_quality: np.ndarray
    shares: np.ndarray

    @classmethod
    def zeros(cls, n_samples):
        shapes = (
            (2, len(QUAL_EDGES) + 1), (n_samples, 3), (n_samples, len(SUBSTITUTIONS)), (n_samples, 2 * MOST_INDEL_BP + 1),
            (n_samples, MOST_QUALITY + 1), (n_samples, 2, N_SHARES),
        )  # fmt: skip
        return cls(*(np.zeros(shape, np.int64) for shape in shapes))

    def add(self, other):
        for name in self.__slots__:
            column = getattr(self, name)
            column += getattr(other, name)


HOM, HET, TWO = range(3)


def count_records(calls, n_samples):
    """RecordCounts of calls. One pass over them makes tuples; what is equal is looked at once."""
    counts = RecordCounts.zeros(n_samples)
    varied = [call for call in calls if any(max(sample.genotype) > 0 for sample in call.samples)]
    passed = [call for call in varied if not call.filters]
    for row, some in enumerate((passed, [call for call in varied if call.filters])):
        qual = np.array([call.qual for call in some if call.qual is not None], np.float64)
        np.add.at(counts.qual[row], np.searchsorted(QUAL_EDGES, qual, side="right"), 1)
    for k in range(n_samples):
        _count_sample(passed, k, counts)
    return counts


def _count_sample(calls, k, counts):
    samples = [call.samples[k] for call in calls]
    for (ref, alts, genotype), n in Counter((call.ref, call.alts, sample.genotype) for call, sample in zip(calls, samples)).items():
        carried = {allele for allele in genotype if allele > 0}
        if not carried:
            continue
        counts.genotypes[k, HET if 0 in genotype else TWO if len(carried) > 1 else HOM] += n
        for allele in carried:
            _count_allele(ref, alts[allele - 1], n, counts.substitutions[k], counts.indel_lengths[k])
    quality = [sample.genotype_quality for sample in samples if max(sample.genotype) > 0 and sample.genotype_quality is not None]
    counts.genotype_quality[k] += np.bincount(np.minimum(quality, MOST_QUALITY).astype(np.int64), minlength=MOST_QUALITY + 1)
    hets = [
        (len(call.ref) != len(call.alts[max(sample.genotype) - 1]), sample.allele_depths[0], sample.allele_depths[max(sample.genotype)])
        for call, sample in zip(calls, samples)
        if is_het(sample) and sample.allele_depths and call.alts[max(sample.genotype) - 1][0] not in "*<"
    ]
    is_indel, ref_depth, alt_depth = np.array(hets, np.int64).reshape(-1, 3).T
    known = ref_depth + alt_depth > 0
    share = np.minimum(alt_depth[known] * N_SHARES // (ref_depth + alt_depth)[known], N_SHARES - 1)
    np.add.at(counts.shares[k], (is_indel[known], share), 1)


def _count_allele(ref, alt, n, substitutions, indel_lengths):
    if alt[0] in "*<":
        return
    if len(ref) != len(alt):
        indel_lengths[MOST_INDEL_BP + max(-MOST_INDEL_BP, min(len(alt) - len(ref), MOST_INDEL_BP))] += n
        return
    for pair in zip(ref, alt):
        if pair[0] != pair[1] and (name := ">".join(pair)) in SUBSTITUTIONS:
            substitutions[SUBSTITUTIONS.index(name)] += n


class _ShardCounts:
    """Of one shard; `count_reads` is called in the shard's thread, as `gpuvc.caller.call_shard` has it."""

    def __init__(self, owner, shard):
        self._owner, self._shard = owner, shard
        self._depths = None
        self.records = None

    def count_reads(self, reads, use, codes, codes_start):
        """Depths by the reads that calling uses. codes : uint8[n], the reference from `codes_start`, the shard's span within."""
        owner, span = self._owner, self._shard.span
        n_samples = len(owner.samples)
        sample = owner.sample_of(reads) if n_samples > 1 else np.zeros(0, np.int16)
        steps = np.zeros((n_samples, len(span) + 1), np.int32)
        _add_steps(reads.pos, reads.ref_end, sample, use, span.start, steps)
        self._count(steps, codes[span.start - codes_start :])

    def _count(self, steps, codes):
        bins = self._owner.bins_of(self._shard)
        n_samples = len(steps)
        n_positions = np.zeros(bins.stop - bins.start, np.int64)
        depth_sums, counts = np.zeros((n_samples, len(n_positions)), np.int64), np.zeros((n_samples, MOST_DEPTH + 1), np.int64)
        first = self._owner.bin_start[bins.start]
        greatest = _count_depths(
            steps, codes, self._shard.targets, self._shard.span.start, int(first), self._owner.bin_bp, n_positions, depth_sums, counts
        )
        self._depths = bins, n_positions, depth_sums, counts[:, : greatest + 1].copy()

    def finish(self, calls, reference):
        """Count the records, and the positions of a shard without reads, of which `count_reads` never heard."""
        self.records = count_records(calls, len(self._owner.samples))
        name = self._owner.contig_names[self._shard.contig_id]
        if self._depths is None and name in reference.contigs.index:
            span = self._shard.span
            self._count(np.zeros((len(self._owner.samples), len(span) + 1), np.int32), reference.window(name, span.start, span.end))
        return self


class Statistics:
    """Gathers what a report shows, in the order of the shards or any other.

    Parameters
    ----------
    contigs : Contigs
    targets : list of int64[n, 2]
        By contig.
    samples : tuple of str
    sample_of : callable
        ReadBatch → int16[n_reads], the row of each read's sample; asked where there are several.
    """

    def __init__(self, contigs, targets, samples, sample_of):
        self.samples, self.sample_of = samples, sample_of
        self.contig_names = contigs.names
        spans = [(k, int(rows[0, 0]), int(rows[-1, 1])) for k, rows in enumerate(targets) if len(rows)]
        self.bin_bp = max(1, -(-sum(end - start for _, start, end in spans) // N_BINS))
        starts = [(k, start) for k, first, end in spans for start in range(first, end, self.bin_bp)]
        self.bin_contig, self.bin_start = np.array(starts, np.int64).reshape(-1, 2).T
        self._first_bin = {k: (int(np.searchsorted(self.bin_contig, k)), start) for k, start, _ in spans}
        n_samples = len(samples)
        self.n_positions = np.zeros(len(starts), np.int64)
        self.depth_sums = np.zeros((n_samples, len(starts)), np.int64)
        self.depth_counts = np.zeros((n_samples, MOST_DEPTH + 1), np.int64)
        self.records = RecordCounts.zeros(n_samples)

    def bins_of(self, shard):
        """slice: the bins that the shard's span touches."""
        first, start = self._first_bin[shard.contig_id]
        span = shard.span
        return slice(first + (span.start - start) // self.bin_bp, first + (span.end - 1 - start) // self.bin_bp + 1)

    def watch(self, shard):
        """What counts in one shard."""
        return _ShardCounts(self, shard)

    def add(self, counted):
        """Add the counts of a shard."""
        self.records.add(counted.records)
        if counted._depths is None:
            return
        bins, n_positions, depth_sums, counts = counted._depths
        self.n_positions[bins] += n_positions
        self.depth_sums[:, bins] += depth_sums
        self.depth_counts[:, : counts.shape[1]] += counts

    def as_dict(self):
        """Plain values for the report; see docs/report.md for what each means."""
        first = np.flatnonzero(np.diff(self.bin_contig, prepend=-1))
        positions = np.add.reduceat(self.n_positions, first) if len(first) else np.zeros(0, np.int64)
        return {
            "bin_bp": self.bin_bp,
            "bins": {
                "contig": [self.contig_names[k] for k in self.bin_contig.tolist()],
                "start": self.bin_start.tolist(),
                "positions": self.n_positions.tolist(),
            },
            "contigs": {self.contig_names[self.bin_contig[at]]: n for at, n in zip(first.tolist(), positions.tolist())},
            "positions": int(self.n_positions.sum()),
            "qual": {
                "edges": QUAL_EDGES.tolist(),
                "passed": self.records.qual[0].tolist(),
                "filtered": self.records.qual[1].tolist(),
            },
            "samples": [self._sample(k, name, first, positions) for k, name in enumerate(self.samples)],
        }

    def _sample(self, k, name, first, positions):
        records = self.records
        substitutions = dict(zip(SUBSTITUTIONS, records.substitutions[k].tolist()))
        transitions = sum(substitutions[name] for name in TRANSITIONS)
        transversions = sum(substitutions.values()) - transitions
        lengths = records.indel_lengths[k]
        sums = np.add.reduceat(self.depth_sums[k], first) if len(first) else np.zeros(0, np.int64)
        return {
            "name": name,
            "depth": {
                **_depth_summary(self.depth_counts[k], int(self.depth_sums[k].sum())),
                "by_bin": [_mean(*pair) for pair in zip(self.depth_sums[k].tolist(), self.n_positions.tolist())],
                "by_contig": {
                    self.contig_names[self.bin_contig[at]]: _mean(total, n)
                    for at, total, n in zip(first.tolist(), sums.tolist(), positions.tolist())
                },
            },
            "genotypes": dict(zip(("hom", "het", "two_alternates"), records.genotypes[k].tolist())),
            "substitutions": substitutions,
            "transitions": transitions,
            "transversions": transversions,
            "ti_tv": _mean(transitions, transversions),
            "het_hom": _mean(int(records.genotypes[k, HET]), int(records.genotypes[k, HOM])),
            "indel_lengths": {str(at - MOST_INDEL_BP): int(lengths[at]) for at in np.flatnonzero(lengths).tolist()},
            "genotype_quality": records.genotype_quality[k].tolist(),
            "allele_balance": {"substitutions": records.shares[k, 0].tolist(), "indels": records.shares[k, 1].tolist()},
        }


def _mean(total, n):
    return round(total / n, 4) if n else None


def _depth_summary(counts, total):
    n = int(counts.sum())
    up_to = np.cumsum(counts)
    used = int(np.flatnonzero(counts)[-1]) + 1 if n else 0
    return {
        "mean": _mean(total, n),
        "median": int(np.searchsorted(up_to, (n + 1) // 2)) if n else None,
        "at_least": {str(depth): _mean(n - int(up_to[depth - 1]), n) for depth in DEPTHS_SHOWN},
        "counts": counts[:used].tolist(),
    }
