"""Base qualities and gap openings as the PairHMM takes them, against hand-computed and GATK's numbers."""

import gzip
import json
import math
import re
from itertools import pairwise

import numpy as np
import pytest
from builders import callable_kernel
from hmm_cases import REPOSITORY, codes, slots

from gpuvc.errors import UsageError
from gpuvc.io.dragstr import Dragstr, read_tables
from gpuvc.likelihoods import read_quality
from gpuvc.likelihoods.read_quality import (
    MAX_REPEAT_UNIT,
    MAX_REPEATS,
    PCR_RATES,
    dragstr_costs,
    dragstr_gap_quals,
    gap_open_quals,
    hmm_base_quals,
    pcr_gap_open,
)

repeats_at = callable_kernel(read_quality.repeats_at)
GOLDEN = REPOSITORY / "tests" / "golden"
STR_PCR, LIMITS = (json.loads((GOLDEN / f"{name}.json").read_text()) for name in ("str_pcr", "read_limits"))


def base_quals(quals, mapq, threshold=18, caps_to_mapq=True):
    out = np.zeros(len(quals), np.uint8)
    hmm_base_quals(slots([len(quals)]), np.array(quals, np.uint8), np.array([mapq], np.uint8), threshold, caps_to_mapq, out)
    return out.tolist()


@pytest.mark.parametrize("case", LIMITS["hmm_base_quals"])
def test_base_quals(case):
    assert base_quals(case["quals"], case["mapq"]) == case["out"]


def test_base_quals_at_the_edges():
    assert base_quals([0, 17, 18, 255], 255) == [6, 6, 18, 127]
    assert base_quals([40, 40], 0) == [6, 6]
    assert base_quals([40, 30], 0, caps_to_mapq=False) == [40, 30]
    assert base_quals([9, 10], 60, threshold=10) == [6, 10]


def test_each_read_has_its_own_mapping_quality():
    out = np.zeros(3, np.uint8)
    hmm_base_quals(slots([1, 0, 2]), np.array([40, 40, 40], np.uint8), np.array([20, 0, 30], np.uint8), 18, True, out)
    assert out.tolist() == [20, 30, 30]


@pytest.mark.parametrize("model", STR_PCR["pcr_tables"])
def test_pcr_tables(model):
    assert pcr_gap_open(model).tolist() == STR_PCR["pcr_tables"][model]


def test_without_pcr_gaps_cost_the_same_everywhere():
    assert set(pcr_gap_open("NONE").tolist()) == {45}
    with pytest.raises(UsageError, match="PCR indel model: found 'SOME', expected one of NONE, HOSTILE, AGGRESSIVE, CONSERVATIVE"):
        pcr_gap_open("SOME")
    assert list(PCR_RATES) == ["NONE", "HOSTILE", "AGGRESSIVE", "CONSERVATIVE"]


def gap_quals(texts, model="CONSERVATIVE"):
    offsets = slots([len(text) for text in texts])
    out = np.zeros(offsets[-1], np.uint8)
    gap_open_quals(offsets, codes("".join(texts)), pcr_gap_open(model), out)
    return [out[a:b].tolist() for a, b in pairwise(offsets)]


@pytest.mark.parametrize("case", STR_PCR["tandem"], ids=lambda case: case["seq"])
def test_tandem_repeats(case):
    bases = codes(case["seq"])
    assert [repeats_at(bases, 0, len(bases), i) for i in range(len(bases))] == [copies for _, copies in case["per_offset"]]
    assert gap_quals([case["seq"]]) == [case["conservative_gap_quals"]]


def copies_of(text, unit):
    """(Copies at the end of `text`, copies at its start) of `unit`."""
    counts = []
    for piece, take in ((text, str.removesuffix), (text, str.removeprefix)):
        n = 0
        while unit and (rest := take(piece, unit)) != piece:
            piece, n = rest, n + 1
        counts.append(n)
    return counts


def plain_repeats(text, i):
    """The definition, with slices of texts."""
    before, after = text[: i + 1], text[i + 1 :]
    backward = next(
        (before[-u:] for u in range(1, MAX_REPEAT_UNIT + 1) if u <= len(before) and copies_of(before, before[-u:])[0] > 1), before[-1]
    )
    n = copies_of(before, backward)[0]
    if after:
        forward = next(
            (after[:u] for u in range(1, MAX_REPEAT_UNIT + 1) if u <= len(after) and copies_of(after, after[:u])[1] > 1), after[0]
        )
        n = copies_of(after, forward)[1] + (n if forward == backward else copies_of(before, forward)[0])
    return min(n, MAX_REPEATS)


def test_repeats_of_random_reads(seed=5):
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    for _ in range(60):
        text = "".join("".join(rng.choice(list("ACGTN"), rng.integers(1, 10))) * int(rng.integers(1, 9)) for _ in range(4))
        bases = codes(text)
        assert [repeats_at(bases, 0, len(bases), i) for i in range(len(text))] == [plain_repeats(text, i) for i in range(len(text))], text


def test_reads_do_not_see_each_other():
    texts = ["ACACACAC", "A", "", "ACAC", "TTTTTTTTTTTTTTTTTTTTTTTT"]
    assert gap_quals(texts, "HOSTILE") == [gap_quals([text], "HOSTILE")[0] for text in texts]
    assert gap_quals(["A"]) == [[45]]


def test_gaps_are_cheaper_in_repeats_by_their_length_in_all():
    """A run of 15: 15.5 for the repeat as a whole, over its 15 places; a pair four times is too short to matter; the last base never is."""
    read = "GA" + "T" * 15 + "CACACACAG" + "T" * 15
    bases = np.array(["ACGT".index(base) for base in read], np.uint8)
    out = np.zeros(len(read), np.uint8)
    read_quality.repeat_gap_open_quals(np.array([0, len(read)]), bases, read_quality.repeat_gap_open(), out)
    run = math.floor(15.5 + 10 * math.log10(15) + 0.5)
    pairs = min(45, math.floor(39.5 + 10 * math.log10(8) + 0.5))
    assert run == 27 and pairs == 45
    assert out.tolist() == [45] + [run] * 16 + [45] * 8 + [run] * 15 + [45]


def test_the_repeat_of_most_copies_counts():
    read = "ACACACACACACTTTTTTTTTTG"
    bases = np.array(["ACGT".index(base) for base in read], np.uint8)
    out = np.zeros(len(read), np.uint8)
    read_quality.repeat_gap_open_quals(np.array([0, len(read)]), bases, read_quality.repeat_gap_open(), out)
    costs = read_quality.repeat_gap_open()
    assert out[:11].tolist() == [costs[1, 5]] * 11 and out[11:22].tolist() == [costs[0, 9]] * 11 and out[22] == 45


def plain_costs(text, costs):
    """Gap openings by definition: the repeat of most copies, of the shortest unit among equal ones, that covers the base or follows it."""
    most, quals = [1] * len(text), [45] * len(text)
    for period in range(1, MAX_REPEAT_UNIT + 1):
        same = "".join("=" if a == b else "x" for a, b in zip(text, text[period:]))
        for run in re.finditer("=+", same):
            copies = (run.end() - run.start() + period) // period
            for i in range(max(run.start() - 1, 0), run.end() + period):
                if copies > max(most[i], 1):
                    most[i], quals[i] = copies, int(costs[period - 1, min(copies, MAX_REPEATS) - 1])
    return [*quals[:-1], 45]


def test_repeat_costs_of_random_reads(seed=6):
    """With the model's costs, and with costs that make every repeat matter."""
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    texts = ["", "A", "AA", "ACGTACGT"]
    for _ in range(150):
        pieces = ["".join(rng.choice(list("ACGTN"), rng.integers(1, 9))) * int(rng.integers(1, 12)) for _ in range(3)]
        texts.append("".join(pieces)[: int(rng.integers(20, 200))])
    offsets, bases = slots([len(text) for text in texts]), codes("".join(texts))
    for costs in (read_quality.repeat_gap_open(), rng.integers(5, 45, (MAX_REPEAT_UNIT, MAX_REPEATS)).astype(np.uint8)):
        out = np.zeros(len(bases), np.uint8)
        read_quality.repeat_gap_open_quals(offsets, bases, costs, out)
        for text, a, b in zip(texts, offsets, offsets[1:]):
            assert out[a:b].tolist() == (plain_costs(text, costs) if text else []), text
        assert (out < 45).mean() > 0.1


def dragstr_quals(texts, dragstr):
    """[(gap openings, gap continuations)] of reads."""
    offsets, bases = slots([len(text) for text in texts]), codes("".join(texts))
    opening, continuation = np.zeros(len(bases), np.uint8), np.zeros(len(bases), np.uint8)
    dragstr_gap_quals(offsets, bases, *dragstr_costs(dragstr), opening, continuation)
    return [(opening[a:b].tolist(), continuation[a:b].tolist()) for a, b in pairwise(offsets)]


class TestDragstr:
    made_up = Dragstr(*read_tables(GOLDEN / "dragstr.made_up.txt"))

    def test_reads_as_gatk_gave_them_to_the_pairhmm(self):
        with gzip.open(GOLDEN / "dragstr.reads.tsv.gz", "rt") as file:
            texts, *expected = zip(*(line.split() for line in file), strict=True)
        found = dragstr_quals(texts, self.made_up)
        assert len(texts) == 144
        for text, quals, opening, continuation in zip(texts, found, *expected, strict=True):
            assert quals == tuple([ord(letter) - 33 for letter in column] for column in (opening, continuation)), text

    def test_costs_are_rounded_and_opening_is_bounded(self):
        tables = [np.array([[45.0, 39.5, 10.49, 3.5]]), np.array([[10.0, 3.33, 2.5, 0.5]]), np.zeros((1, 4))]
        opening, continuation = dragstr_costs(Dragstr(*tables))
        assert opening.tolist() == [[40, 40, 10, 4]] and continuation.tolist() == [[10, 3, 3, 1]]

    def test_more_copies_than_columns_and_longer_units_than_rows(self):
        two = Dragstr(*(np.array([[start, start + 1.0], [start + 2.0, start + 3.0]]) for start in (20, 5, 0)))
        ((opening, continuation),) = dragstr_quals(["GAAAACTCTCTGCATGCATG"], two)
        assert opening == [21] * 5 + [23] * 6 + [20] * 8 + [45]
        assert continuation == [6] * 5 + [8] * 6 + [5] * 8 + [10]

    def test_random_reads(self, seed=7):
        print(f"seed {seed}")
        rng = np.random.default_rng(seed)
        texts = ["A", "AA", "ACACAC", "ACACACA", "ACGTACGT"]
        for _ in range(100):
            pieces = ["".join(rng.choice(list("ACGTN"), rng.integers(1, 9))) * int(rng.integers(1, 12)) for _ in range(3)]
            texts.append("".join(pieces)[: int(rng.integers(2, 120))])
        begins_with_repeat = 0
        for text, found in zip(texts, dragstr_quals(texts, self.made_up), strict=True):
            expected = repeats_by_definition(text, self.made_up.n_periods)
            begins_with_repeat += expected != repeats_by_definition(text, self.made_up.n_periods, as_dragen=False)
            costs = [[int(table[period - 1, min(copies, 20) - 1]) for period, copies in expected] for table in dragstr_costs(self.made_up)]
            assert found == ([*costs[0], 45], [*costs[1], 10]), text
        assert begins_with_repeat > 10


def repeats_by_definition(text, max_period, as_dragen=True):
    """[(period, copies)] of all bases but the last: of the units that hold the base, or begin after it, the one with most copies.

    `as_dragen`: the copies of a unit of several bases at the read's very beginning are one fewer.
    """

    def copies(start, period):
        unit, n, at = text[start : start + period], 1, start
        while text[at + period : at + 2 * period] == unit:
            at, n = at + period, n + 1
        while start >= period and text[start - period : start] == unit:
            start, n = start - period, n + 1
        return n

    found = []
    for i in range(len(text) - 1):
        best = (1, 1)
        for period in range(1, max_period + 1):
            for start in range(max(0, i - period + 1), min(i + 1, len(text) - period) + 1):
                n = copies(start, period) - (as_dragen and start == 0 and period > 1)
                if n > best[1]:
                    best = period, n
        found.append(best)
    return found
