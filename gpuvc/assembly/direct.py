"""Haplotypes straight from the alignments of a region's reads, where these are so plain that a graph would find the same alleles.

Mismatches and indels that enough reads show are events; the reads that cover two neighbours say which of their alleles go together.
A region is left to the graphs (it is messy) when its events stand close together or are many, when mismatches crowd in several reads
at one place, when an allele is seen at read ends alone, when an indel may be under-counted beside mismatches, or when an event gets into
no haplotype. What shows in so few of the reads there that no chromosome copy can have it is no event, and makes no mess.
"""

from collections import namedtuple

import numpy as np

from gpuvc.kernels.codes import ALIGNS, CIGAR_D, CIGAR_H, CIGAR_I, CIGAR_S, CONSUMES_READ, CONSUMES_REFERENCE, N
from gpuvc.kernels.cpu.sequences import WIDTH, lowest_bit, unequal_mask
from gpuvc.kernels.jit import inner_kernel

MESSY = -1

MAX_EVENTS = 12
MAX_CHAINS = 64
MAX_INDELS = 64  # distinct ones of a region, lone ones included
MAX_INSERTION = 64
EDGE = 10  # an allele that no read shows farther from its ends may be the end of an indel; a cut at the region's bounds is no end
SNV_DISTANCE, INDEL_DISTANCE = 10, 20  # events nearer than that are messy
CROWD, CROWD_SPAN = 4, 20  # so many mismatches of a read within so many bases are a crowd
CROWD_BIN = 16  # crowds of as many or fewer bases between them are at one place
LONE_DISTANCE = 15  # mismatches beside a lone indel may be the same allele
# Of one chromosome copy's share of the reads at a place: fewer that show an allele are errors; fewer that hide one need no graph.
ERROR_SHARE, MESS_SHARE = 0.1, 0.2
FEW_LINKS, ONE_IS_ENOUGH = 2, 6  # below so many links all pairs of alleles go; below so many one read makes a pair

# Columns of `indels`, int64[n, 5]: first reference base behind or in it, bases deleted, inserted, reads, end of where it could stand.
INDEL_POS, DELETED, INSERTED, INDEL_READS, INDEL_REACH = range(5)
# Columns of `events`, int64[n, 4]: position, alternate base or -1, row of `indels` or -1, reads.
EVENT_POS, EVENT_BASE, EVENT_INDEL, EVENT_READS = range(4)

# An entry of `counts`, int64[4 n]: at 4 * offset + base, the reads that have the mismatch, and in units of INNER those of them in which it
# is not near an end. The entries that are not 0 are the `n_touched` that stand in `touched`.
INNER = 1 << 32
COUNT_MASK = INNER - 1

DirectWorkspace = namedtuple("DirectWorkspace", "counts touched n_touched crowds depth indels inserted events state links chains scores")


def make_direct_workspace(longest_ref):
    """Scratch memory of `chain_reads` for regions over up to so many reference bases."""
    return DirectWorkspace(
        counts=np.zeros(4 * longest_ref, np.int64),
        touched=np.empty(4 * longest_ref, np.int64),
        n_touched=np.zeros(1, np.int64),
        crowds=np.empty(longest_ref // CROWD_BIN + 2, np.int64),
        depth=np.zeros(longest_ref + 1, np.int64),
        indels=np.zeros((MAX_INDELS, 5), np.int64),
        inserted=np.zeros((MAX_INDELS + 1, MAX_INSERTION), np.uint8),
        events=np.zeros((MAX_EVENTS, 4), np.int64),
        state=np.zeros(MAX_EVENTS, np.int64),
        links=np.zeros((MAX_EVENTS, 2, 2), np.int64),
        chains=np.zeros((2, 2 * MAX_CHAINS), np.int64),
        scores=np.zeros((2, 2 * MAX_CHAINS)),
    )


@inner_kernel
def find_indel(ref, at, deleted, inserted, place, bases, n_indels, indels, letters):
    """Row of an indel, moved left, in `indels`; n_indels if it is new, and then it is written there, MESSY if there is no room."""
    pos = at
    spare = letters[MAX_INDELS]
    if deleted > 0:
        while pos > 0 and ref[pos - 1] == ref[pos + deleted - 1]:
            pos -= 1
    else:
        if inserted > MAX_INSERTION:
            return MESSY
        turned = 0
        while pos > 0 and ref[pos - 1] == bases[place + (inserted - 1 - turned) % inserted]:
            pos -= 1
            turned += 1
        for t in range(inserted):
            spare[t] = bases[place + (t - turned) % inserted]
    for i in range(n_indels):
        if indels[i, INDEL_POS] == pos and indels[i, DELETED] == deleted and indels[i, INSERTED] == inserted:
            t = 0
            while t < inserted and letters[i, t] == spare[t]:
                t += 1
            if t == inserted:
                return i
    if n_indels == MAX_INDELS or pos == 0:
        return MESSY
    reach = pos + deleted
    while reach < ref.size and ref[reach] == (ref[reach - deleted] if deleted > 0 else spare[(reach - pos) % inserted]):
        reach += 1
    indels[n_indels, INDEL_POS] = pos
    indels[n_indels, DELETED] = deleted
    indels[n_indels, INSERTED] = inserted
    indels[n_indels, INDEL_READS] = 0
    indels[n_indels, INDEL_REACH] = reach
    for t in range(inserted):
        letters[n_indels, t] = spare[t]
    return n_indels


@inner_kernel
def is_sure(place, length, bases, quals, min_base_quality):
    """Whether all of these bases are known and of the quality."""
    for t in range(place, place + length):  # noqa: SIM110 (Numba takes no generator)
        if quals[t] < min_base_quality or bases[t] >= N:
            return False
    return True


@inner_kernel
def aligned_part(row, cigar, cigar_offsets, base_offsets):
    """(first, one past last) operation and base of a row without its clips."""
    first, last, lo, hi = cigar_offsets[row], cigar_offsets[row + 1], base_offsets[row], base_offsets[row + 1]
    while first < last and (cigar[first] & 15 == CIGAR_S or cigar[first] & 15 == CIGAR_H):
        lo += np.int64(cigar[first]) >> 4 if cigar[first] & 15 == CIGAR_S else 0
        first += 1
    while last > first and (cigar[last - 1] & 15 == CIGAR_S or cigar[last - 1] & 15 == CIGAR_H):
        last -= 1
        hi -= np.int64(cigar[last]) >> 4 if cigar[last] & 15 == CIGAR_S else 0
    return first, last, lo, hi


@inner_kernel
def count_mismatches(ref, at, place, length, inner_start, inner_end, bases, quals, min_base_quality, recent, d):
    """Count the mismatches of one stretch of aligned bases → offset in `ref` where CROWD of the read's stood together; -1: nowhere.

    inner_start, inner_end : the bases between are not near an end of the read. recent : int64[CROWD], places of the read's last
    mismatches, by turns; recent[CROWD] says whose turn it is.
    """
    crowded = -1
    for t in range(0, length, WIDTH):
        mask = unequal_mask(ref, at + t, bases, place + t, min(WIDTH, length - t))
        while mask:
            q = t + lowest_bit(mask)
            mask &= mask - 1
            base = bases[place + q]
            if quals[place + q] >= min_base_quality and base < N:
                cell = 4 * (at + q) + base
                if d.counts[cell] == 0:
                    d.touched[d.n_touched[0]] = cell
                    d.n_touched[0] += 1
                d.counts[cell] += 1 + INNER * (inner_start <= place + q < inner_end)
                turn = recent[CROWD]
                recent[turn] = place + q
                turn = (turn + 1) % CROWD
                recent[CROWD] = turn
                # The next in turn is the oldest.
                if place + q - recent[turn] < CROWD_SPAN:
                    crowded = at + q
    return crowded


@inner_kernel
def collect_evidence(
    ref, start, first_row, last_row, pos, cigar, cigar_offsets, bases, quals, base_offsets, min_base_quality, recent, d
):  # fmt: skip
    """Count what the reads show → number of distinct indels, or MESSY, then perhaps before all are counted."""
    for t in range(d.n_touched[0]):
        d.counts[d.touched[t]] = 0
    d.n_touched[0] = 0
    for t in range(ref.size + 1):
        d.depth[t] = 0
    for t in range(ref.size // CROWD_BIN + 2):
        d.crowds[t] = 0
    n_indels = 0
    for row in range(first_row, last_row):
        first, last, lo, hi = aligned_part(row, cigar, cigar_offsets, base_offsets)
        at = pos[row] - start
        place = lo
        for t in range(CROWD):
            recent[t] = -CROWD_SPAN
        recent[CROWD] = 0
        crowded = -1
        if at < 0 or at > ref.size:
            return MESSY
        d.depth[at] += 1
        end = at
        for c in range(first, last):
            end += np.int64(cigar[c]) >> 4 if CONSUMES_REFERENCE >> (cigar[c] & 15) & 1 else 0
        if end > ref.size:
            return MESSY
        inner_start, inner_end = lo + EDGE * (at > 0), hi - EDGE * (end < ref.size)
        for c in range(first, last):
            operation, length = np.int64(cigar[c]) & 15, np.int64(cigar[c]) >> 4
            if ALIGNS >> operation & 1:
                crowded = max(
                    crowded, count_mismatches(ref, at, place, length, inner_start, inner_end, bases, quals, min_base_quality, recent, d)
                )
            elif operation != CIGAR_I and operation != CIGAR_D:
                return MESSY
            elif c == first or c == last - 1 or ALIGNS >> (cigar[c - 1] & 15) & 1 == 0 or ALIGNS >> (cigar[c + 1] & 15) & 1 == 0:
                crowded = max(crowded, at)
            else:
                inserted = length if operation == CIGAR_I else 0
                if is_sure(place - 1, inserted + 2, bases, quals, min_base_quality):
                    i = find_indel(ref, at, length - inserted, inserted, place, bases, n_indels, d.indels, d.inserted)
                    if i == MESSY:
                        return MESSY
                    d.indels[i, INDEL_READS] += 1
                    n_indels = max(n_indels, i + 1)
            if CONSUMES_REFERENCE >> operation & 1:
                at += length
            if CONSUMES_READ >> operation & 1:
                place += length
        d.depth[at] -= 1
        if crowded >= 0:
            d.crowds[crowded // CROWD_BIN] += 1
    for t in range(ref.size):
        d.depth[t + 1] += d.depth[t]
    return n_indels


@inner_kernel
def is_crowded(size, min_reads, n_copies, d):
    """Whether mismatches crowd at one place in enough reads that an allele could be behind it."""
    for t in range(size // CROWD_BIN + 1):
        n = d.crowds[t] + d.crowds[t + 1]
        if n >= min_reads and n * n_copies >= MESS_SHARE * d.depth[min(t * CROWD_BIN, size)]:
            return True
    return False


@inner_kernel
def add_event(pos, base, indel, n_reads, n, events):
    """Insert an event by position → the new number of events."""
    j = n
    while j > 0 and events[j - 1, EVENT_POS] > pos:
        for column in range(4):
            events[j, column] = events[j - 1, column]
        j -= 1
    events[j, EVENT_POS] = pos
    events[j, EVENT_BASE] = base
    events[j, EVENT_INDEL] = indel
    events[j, EVENT_READS] = n_reads
    return n + 1


@inner_kernel
def is_under_counted(i, size, n_copies, d):
    """Whether mismatches beside a lone indel could be reads of the same allele, and enough of them to matter."""
    near = 1
    first, end = max(0, d.indels[i, INDEL_POS] - LONE_DISTANCE), min(size, d.indels[i, INDEL_REACH] + LONE_DISTANCE)
    for t in range(4 * first, 4 * end):
        near += d.counts[t] & COUNT_MASK
    return near > 1 and near * n_copies >= MESS_SHARE * d.depth[d.indels[i, INDEL_POS]]


@inner_kernel
def choose_events(size, n_indels, min_reads, n_copies, d):
    """Events by position, those that enough reads show → their number, or MESSY."""
    n = 0
    for t in range(d.n_touched[0]):
        cell = d.touched[t]
        n_reads, depth = d.counts[cell] & COUNT_MASK, d.depth[cell >> 2]
        if n_reads < min_reads or n_reads * n_copies < ERROR_SHARE * depth:
            continue
        if d.counts[cell] < INNER:
            if n_reads * n_copies >= MESS_SHARE * depth:
                return MESSY
            continue
        if n == MAX_EVENTS:
            return MESSY
        n = add_event(cell >> 2, cell & 3, -1, n_reads, n, d.events)
    for i in range(n_indels):
        pos, n_reads = d.indels[i, INDEL_POS], d.indels[i, INDEL_READS]
        if n_reads >= min_reads and n_reads * n_copies >= ERROR_SHARE * d.depth[pos]:
            if n == MAX_EVENTS:
                return MESSY
            n = add_event(pos, -1, i, n_reads, n, d.events)
        elif is_under_counted(i, size, n_copies, d):
            return MESSY
    for j in range(1, n):
        before, indel = d.events[j - 1, EVENT_INDEL], d.events[j, EVENT_INDEL]
        reach = d.events[j - 1, EVENT_POS] if before < 0 else d.indels[before, INDEL_REACH]
        if d.events[j, EVENT_POS] - reach < (SNV_DISTANCE if before < 0 and indel < 0 else INDEL_DISTANCE):
            return MESSY
    return n


@inner_kernel
def read_alleles(
    ref, start, row, n_events, n_indels, pos, cigar, cigar_offsets, bases, quals, base_offsets, min_base_quality, d
):  # fmt: skip
    """Write what one read says of each event into d.state: 1 has it, 0 has not, -1 cannot say."""
    first, last, place, _ = aligned_part(row, cigar, cigar_offsets, base_offsets)
    at = pos[row] - start
    if last - first == 1 and ALIGNS >> (cigar[first] & 15) & 1:
        # Nearly every read.
        length = np.int64(cigar[first]) >> 4
        for j in range(n_events):
            i, q = d.events[j, EVENT_INDEL], d.events[j, EVENT_POS] - at
            if i >= 0:
                d.state[j] = 0 if q > 0 and at + length > d.indels[i, INDEL_REACH] else -1
            else:
                is_seen = 0 <= q < length and is_sure(place + q, 1, bases, quals, min_base_quality)
                d.state[j] = bases[place + q] == d.events[j, EVENT_BASE] if is_seen else -1
        return
    end = at
    for c in range(first, last):
        end += np.int64(cigar[c]) >> 4 if CONSUMES_REFERENCE >> (cigar[c] & 15) & 1 else 0
    for j in range(n_events):
        i = d.events[j, EVENT_INDEL]
        d.state[j] = 0 if i >= 0 and at < d.events[j, EVENT_POS] and end > d.indels[i, INDEL_REACH] else -1
    for c in range(first, last):
        operation, length = np.int64(cigar[c]) & 15, np.int64(cigar[c]) >> 4
        if ALIGNS >> operation & 1:
            for j in range(n_events):
                q = place + d.events[j, EVENT_POS] - at
                if d.events[j, EVENT_INDEL] < 0 and place <= q < place + length and is_sure(q, 1, bases, quals, min_base_quality):
                    d.state[j] = bases[q] == d.events[j, EVENT_BASE]
        elif first < c < last - 1:
            inserted = length if operation == CIGAR_I else 0
            if is_sure(place - 1, inserted + 2, bases, quals, min_base_quality):
                i = find_indel(ref, at, length - inserted, inserted, place, bases, n_indels, d.indels, d.inserted)
                for j in range(n_events):
                    if d.events[j, EVENT_INDEL] == i:
                        d.state[j] = 1
        if CONSUMES_REFERENCE >> operation & 1:
            at += length
        if CONSUMES_READ >> operation & 1:
            place += length


@inner_kernel
def chain_events(n_events, d):
    """Haplotypes as bit masks of events, in d.chains[0], with log10 scores → their number, or MESSY."""
    n = 1
    d.chains[0, 0] = 0
    d.scores[0, 0] = 0.0
    for j in range(n_events):
        n_next = 0
        for q in range(n):
            before = d.chains[0, q] >> (j - 1) & 1 if j > 0 else 0
            total = d.links[j, before, 0] + d.links[j, before, 1]
            for allele in range(2):
                links = d.links[j, before, allele]
                is_free = total < FEW_LINKS
                if j > 0 and not is_free and links < 2 and not (links == 1 and total < ONE_IS_ENOUGH):
                    continue
                if n_next == MAX_CHAINS:
                    return MESSY
                d.chains[1, n_next] = d.chains[0, q] | allele << j
                d.scores[1, n_next] = d.scores[0, q] + np.log10((links + 0.5) / (total + 1.0))
                n_next += 1
        n = n_next
        for q in range(n):
            d.chains[0, q] = d.chains[1, q]
            d.scores[0, q] = d.scores[1, q]
    used = 0
    for q in range(n):
        used |= d.chains[0, q]
    return n if used == (1 << n_events) - 1 else MESSY


@inner_kernel
def spell_chain(chain, ref, n_events, d, letters):
    """Write the bases of a haplotype → their number."""
    n = at = 0
    for j in range(n_events):
        if chain >> j & 1 == 0:
            continue
        pos, i = d.events[j, EVENT_POS], d.events[j, EVENT_INDEL]
        for t in range(at, pos):
            letters[n] = ref[t]
            n += 1
        if i < 0:
            letters[n] = d.events[j, EVENT_BASE]
            n += 1
            at = pos + 1
        else:
            for t in range(d.indels[i, INSERTED]):
                letters[n + t] = d.inserted[i, t]
            n += d.indels[i, INSERTED]
            at = pos + d.indels[i, DELETED]
    for t in range(at, ref.size):
        letters[n] = ref[t]
        n += 1
    return n


@inner_kernel
def chain_reads(
    ref, start, first_row, last_row, pos, cigar, cigar_offsets, bases, quals, base_offsets, min_base_quality, min_reads, n_copies, recent, d
):  # fmt: skip
    """Haplotypes of one region, for `spell_chain` → (number of chains, of events); MESSY instead of the first: take the graphs.

    ref : uint8[padded span], from `start` on. Rows first_row to last_row of RegionReads, whose columns follow.
    min_reads : an allele that fewer show is an error. n_copies : chromosome copies that the reads are of. recent : int64[CROWD + 1],
    scratch.
    """
    any_unknown = False
    for t in range(ref.size):
        any_unknown |= ref[t] >= N
    if any_unknown:
        return MESSY, 0
    n_indels = collect_evidence(
        ref, start, first_row, last_row, pos, cigar, cigar_offsets, bases, quals, base_offsets, min_base_quality, recent, d
    )  # fmt: skip
    if n_indels == MESSY or is_crowded(ref.size, min_reads, n_copies, d):
        return MESSY, 0
    n_events = choose_events(ref.size, n_indels, min_reads, n_copies, d)
    if n_events == MESSY:
        return MESSY, 0
    if n_events > 0:
        for j in range(n_events):
            for before in range(2):
                for allele in range(2):
                    d.links[j, before, allele] = 0
        for row in range(first_row, last_row):
            at = pos[row] - start
            is_plain = cigar_offsets[row + 1] - cigar_offsets[row] == 1
            if at > d.events[n_events - 1, EVENT_POS] or (
                is_plain and at + base_offsets[row + 1] - base_offsets[row] <= d.events[0, EVENT_POS]
            ):
                continue
            read_alleles(
                ref, start, row, n_events, n_indels, pos, cigar, cigar_offsets, bases, quals, base_offsets, min_base_quality, d
            )  # fmt: skip
            if d.state[0] >= 0:
                d.links[0, 0, d.state[0]] += 1
            for j in range(1, n_events):
                if d.state[j - 1] >= 0 and d.state[j] >= 0:
                    d.links[j, d.state[j - 1], d.state[j]] += 1
    return chain_events(n_events, d), n_events
