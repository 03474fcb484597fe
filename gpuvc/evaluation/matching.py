"""Which variants of two sets agree: those that turn the reference into the same haplotypes, however they are written.

A variant may be taken or left. What is taken of either set must spell the same haplotypes, and as many variants as possible of both sets
together are taken: the criterion of `rtg vcfeval` (Cleary et al., bioRxiv 023754, 2015), whose counts this gives.

    reference   ..GATCACACACTTG..
    truth         T CAC>C                 one repeat unit less, at its left end
    calls                   CAC>C         at its right end: the haplotype is the same, both are taken

Most variants stand alone and are equal in both sets. The contig is cut where the haplotypes of both sets are certainly in step, so that
nothing before the cut can agree with anything behind it: the reference there differs from itself moved by every length that the variants
since the last cut could move it. Between two cuts, a set that stands alone agrees with nothing, sets that are equal agree, and only the
others are searched: by position, keeping for every state (how far each haplotype of each set is spelled, what one has ahead of the other)
the best way there.
"""

from dataclasses import dataclass

import numpy as np

MAX_STATES = 20_000  # of a search at one variant; beyond it the variants between the two cuts are left out, and counted
MAX_WORK = 1_000_000  # states of a search at all its variants together: some ten seconds
TRUTH, CALLS = 0, 1
_START_ALLELE = 1
_NOWHERE = 1 << 62


@dataclass
class Matches:
    """What became of the variants of one contig, by side in the order given.

    agrees, skipped : bool[n]
        Taken; left out, because there was too much to search.
    weight : float64[n]
        Of calls that agree: the variants of the truth, inside the regions, that each stands for.
    cluster : int64[n]
        Number of the stretch between two cuts.
    """

    agrees: tuple
    skipped: tuple
    weight: np.ndarray
    cluster: tuple


class TooComplex(Exception):
    """A search has more than MAX_STATES states, or more than MAX_WORK in all."""


def match_variants(reference, truth, calls, inside, *, squash_ploidy=False):
    """Matches of two sets of variants on one contig.

    Parameters
    ----------
    reference : bytes
        Base codes of the whole contig.
    truth, calls : Side
        Sorted by start and end.
    inside : bool[n_truth]
        Which variants of the truth count: the weights of the calls are shares of them.
    squash_ploidy : bool
        One haplotype, on which a variant may have any of its alternate alleles.
    """
    sides = truth, calls
    agrees = tuple(np.zeros(len(side), bool) for side in sides)
    skipped = tuple(np.zeros(len(side), bool) for side in sides)
    cluster = tuple(np.zeros(len(side), np.int64) for side in sides)
    weight = np.zeros(len(calls))
    # Calls come first where starts are equal, as vcfeval takes them.
    side_of = np.repeat([TRUTH, CALLS], [len(truth), len(calls)])
    index_of = np.concatenate([np.arange(len(truth)), np.arange(len(calls))])
    starts = np.concatenate([truth.start, calls.start])
    order = np.lexsort((index_of, -side_of, starts))
    variants = list(zip(starts[order].tolist(), side_of[order].tolist(), index_of[order].tolist()))
    for number, (first, last, end) in enumerate(_cut(reference, variants, sides)):
        members = [[], []]
        for _, side, i in variants[first:last]:
            members[side].append(i)
            cluster[side][i] = number
        in_truth, in_calls = members
        if not (in_truth and in_calls):
            continue
        if _are_equal(truth, calls, in_truth, in_calls):
            agrees[TRUTH][in_truth] = agrees[CALLS][in_calls] = True
            weight[in_calls] = inside[in_truth]
            continue
        try:
            regions = _search(reference, variants[first:last], sides, end, squash_ploidy)
        except TooComplex:
            for side in (TRUTH, CALLS):
                skipped[side][members[side]] = True
            continue
        for taken in regions:
            for side in (TRUTH, CALLS):
                agrees[side][taken[side]] = True
            if taken[CALLS]:
                weight[taken[CALLS]] = inside[taken[TRUTH]].sum() / len(taken[CALLS])
    return Matches(agrees, skipped, weight, cluster)


@dataclass
class Side:
    """The variants of one set on one contig: columns of CallSet."""

    start: np.ndarray
    end: np.ndarray
    growth: np.ndarray
    copies: list
    genotypes: list

    def __len__(self):
        return len(self.start)


def side_of(call_set, rows):
    """The Side of the variants `rows` (a slice) of a CallSet."""
    return Side(call_set.start[rows], call_set.end[rows], call_set.growth[rows], call_set.copies[rows], call_set.genotypes[rows])


def _cut(reference, variants, sides):
    """(first, last, end) of each run of variants between two cuts; `end`: a position at which all haplotypes are in step again."""
    ends = [side.end.tolist() for side in sides]
    growths = [side.growth.tolist() for side in sides]
    first, reach, shift = 0, 0, 0
    for n, (start, side, i) in enumerate(variants):
        if n > first:
            place = _in_step(reference, reach, start, shift)
            if place is not None:
                yield first, n, place
                first, reach, shift = n, 0, 0
        reach = max(reach, ends[side][i])
        shift += growths[side][i]
    if variants:
        place = _in_step(reference, reach, len(reference), shift)
        yield first, len(variants), len(reference) if place is None else place


def _in_step(reference, start, end, shift):
    """A position up to `end` before which no haplotype that is out of step by 1 to `shift` bases from `start` on agrees; None without."""
    if end <= start:
        return None
    if not shift:
        return start + 1
    if end - start <= shift:
        return None
    reach, looked_at = start, 4 * shift + 64
    while reach < end:  # a few bases mostly tell; a run of N may be long
        reach, looked_at = min(end, start + looked_at), 8 * looked_at
        if all(reference[start : reach - d] != reference[start + d : reach] for d in range(1, shift + 1)):
            return reach
    return None


def _are_equal(truth, calls, in_truth, in_calls):
    """Whether both sets have the same variants here, and none in the way of another."""
    if len(in_truth) != len(in_calls):
        return False
    reach = -1
    for i, j in zip(in_truth, in_calls):
        start, end = truth.start[i], truth.end[i]
        if start < reach or start != calls.start[j] or end != calls.end[j]:
            return False
        reach = end
        if truth.copies[i] != calls.copies[j] and sorted(map(_sortable, truth.copies[i])) != sorted(map(_sortable, calls.copies[j])):
            return False
    return True


def _sortable(sequence):
    return b"\xff" if sequence is None else sequence


def _search(reference, variants, sides, end, squash_ploidy):
    """The best choice among the variants between two cuts: by region between points in step, (truth, calls) that are taken.

    A haplotype is (calls' position, truth's position, what calls have ahead, what truth has ahead), of the last two one at least is empty.
    A way to a state is (taken, truth's and calls' since the last point in step, that point, allele of the truth's last, start of the first
    call since that point that replaces bases, how far the taken ones reach, chain of what was taken).
    """
    start = variants[0][0]
    n_haplotypes = 1 if squash_ploidy else len(sides[variants[0][1]].copies[variants[0][2]])
    states = {}
    _keep_better(states, ((start, start, b"", b""),) * n_haplotypes, (0, 0, 0, -1, _START_ALLELE, _NOWHERE, -1, None))
    work = 0
    for seen, side, i in _in_order_of_search(variants, sides):
        states = _spelled_to(reference, seen, states)
        orientations = _orientations(sides[side].copies[i], sides[side].genotypes[i], squash_ploidy)
        start, reach = int(sides[side].start[i]), int(sides[side].end[i])
        taken = dict(states)
        for (state, _), (n, n_truth, n_calls, sync, allele, lead, reached, chain) in states.items():
            for sequences, number in orientations:
                with_variant = _with_variant(reference, state, side, start, reach, sequences)
                if with_variant is None:
                    continue
                if side == CALLS:
                    lead_with = min(lead, start) if start < reach else lead
                    way = (n + 1, n_truth, n_calls + 1, sync, allele, lead_with, max(reached, reach), (chain, side, i))
                else:
                    way = (n + 1, n_truth + 1, n_calls, sync, number, lead, max(reached, reach), (chain, side, i))
                _keep_better(taken, with_variant, way)
        states = taken
        work += len(states)
        if len(states) > MAX_STATES or work > MAX_WORK:
            raise TooComplex
    states = _spelled_to(reference, end, states)
    done = ((end, end, b"", b""),) * n_haplotypes
    chain = states[done, False][-1]
    regions = []
    taken_here = ([], [])
    while chain is not None:
        chain, side, i = chain
        if side is None:
            regions.append(taken_here)
            taken_here = ([], [])
        else:
            taken_here[side].append(i)
    regions.append(taken_here)
    return regions


def _in_order_of_search(variants, sides):
    """(position, side, index) of variants sorted by start: where the search comes to each.

    A variant that overlaps or touches one before it in its set is looked at with that one, calls first: vcfeval looks so far ahead, and
    where points in step lie decides between choices that are as good.
    """
    queues = ([], [])
    for start, side, i in reversed(variants):
        queues[side].append((start, i))
    reach = [-1, -1]
    while queues[TRUTH] or queues[CALLS]:
        position = min(queue[-1][0] for queue in queues if queue)
        is_moving = True
        while is_moving:
            is_moving = False
            for side in (CALLS, TRUTH):
                if queues[side] and queues[side][-1][0] <= max(position, reach[side]):
                    _, i = queues[side].pop()
                    reach[side] = max(reach[side], int(sides[side].end[i]))
                    yield position, side, i
                    is_moving = True
                    break


def _spelled_to(reference, start, states):
    """The states with all haplotypes spelled up to `start` at least, without those that disagree or change nothing."""
    in_step = (start, start, b"", b"")
    spelled = {}
    for (state, is_one_sided), way in states.items():
        haplotypes = []
        for calls_at, truth_at, calls_ahead, truth_ahead in state:
            if calls_at < start:
                calls_ahead += reference[calls_at:start]
                calls_at = start
            if truth_at < start:
                truth_ahead += reference[truth_at:start]
                truth_at = start
            n = min(len(calls_ahead), len(truth_ahead))
            if calls_ahead[:n] != truth_ahead[:n]:
                break
            haplotypes.append((calls_at, truth_at, calls_ahead[n:], truth_ahead[n:]))
        else:
            # A base of the reference behind the last variant makes a point in step.
            is_in_step = way[6] < start and all(haplotype == in_step for haplotype in haplotypes)
            if is_in_step and is_one_sided:
                continue  # variants of one set that cancel each other agree with nothing
            _keep_better(spelled, tuple(haplotypes), way)
    done = (in_step,) * len(state), False
    if done in spelled:
        n, n_truth, _, _, allele, _, reached, chain = spelled[done]
        if reached < start:
            spelled[done] = (n, 0, 0, start, allele, _NOWHERE, reached, (chain, None, None) if n_truth else chain)
    return spelled


def _with_variant(reference, state, side, start, end, sequences):
    """The state with one more variant in it; None where it overlaps one that is there, or the sets disagree."""
    haplotypes = []
    for haplotype, sequence in zip(state, sequences):
        if sequence is None or (not sequence and start == end):  # nothing is known, or nothing is inserted
            haplotypes.append(haplotype)
            continue
        calls_at, truth_at, calls_ahead, truth_ahead = haplotype
        if side == CALLS:
            if calls_at > start:
                return None
            calls_at, calls_ahead = end, calls_ahead + reference[calls_at:start] + sequence
        else:
            if truth_at > start:
                return None
            truth_at, truth_ahead = end, truth_ahead + reference[truth_at:start] + sequence
        n = min(len(calls_ahead), len(truth_ahead))
        if calls_ahead[:n] != truth_ahead[:n]:
            return None
        haplotypes.append((calls_at, truth_at, calls_ahead[n:], truth_ahead[n:]))
    return tuple(haplotypes)


def _keep_better(states, state, way):
    """Keep of two ways to a state the one that vcfeval prefers; ways that have taken variants of one set only since the last point in step
    are kept apart, as they lead nowhere unless the other set follows.

    More taken, sides more alike since the last point in step, that point later, a lower allele; then the one that its search, which follows
    the haplotype furthest behind, would have found first.
    """
    key = state, (way[1] == 0) != (way[2] == 0)
    other = states.get(key)
    if other is None or _rank(way) > _rank(other):
        states[key] = way


def _rank(way):
    n, n_truth, n_calls, sync, allele, lead, *_ = way
    return n, -abs(n_truth - n_calls), sync, -allele, -lead


def _orientations(copies, genotype, squash_ploidy):
    """[(sequence by haplotype, allele on the first)]: the ways to lay the copies of a variant on the haplotypes."""
    if squash_ploidy:
        known = {number: sequence for number, sequence in zip(genotype, copies) if number > 0 and sequence is not None}
        return [((sequence,), number) for number, sequence in sorted(known.items())]
    if len(copies) == 2:
        (a, b), (x, y) = genotype, copies
        return [((x, y), a)] if a == b else [((x, y), a), ((y, x), b)]
    found = {}
    _permute(tuple(zip(genotype, copies)), (), found)
    return [(tuple(sequence for _, sequence in laid), laid[0][0]) for laid in found]


def _permute(rest, laid, found):
    """All orders of `rest` behind `laid` as keys of `found`; equal ones once."""
    if not rest:
        found[laid] = True
    for k, one in enumerate(rest):
        if one not in rest[:k]:
            _permute(rest[:k] + rest[k + 1 :], (*laid, one), found)
