"""Which variants share a haplotype."""

from gpuvc.batches import Call, SampleCall
from gpuvc.genotyping.phasing import phase_calls, phase_groups


def test_same_haplotypes_are_one_phase():
    assert phase_groups([0b01, 0b01]) == {0: (0, "0|1"), 1: (0, "0|1")}


def test_complementary_haplotypes_are_opposite():
    assert phase_groups([0b01, 0b10, 0b01]) == {0: (0, "0|1"), 1: (0, "1|0"), 2: (0, "0|1")}


def test_overlapping_haplotypes_are_not_phased():
    assert phase_groups([0b011, 0b110]) == {}


def test_a_record_without_haplotypes_is_left_out():
    assert phase_groups([0b01, 0, 0b10]) == {0: (0, "0|1"), 2: (0, "1|0")}


def test_a_variant_on_all_haplotypes_follows_those_it_was_joined_with():
    assert phase_groups([0b11, 0b01, 0b10]) == {0: (0, "0|1"), 1: (0, "0|1"), 2: (0, "1|0")}


def test_contradiction_gives_up():
    """Record 2 is opposite to record 3, which record 0 has already joined with record 1."""
    assert phase_groups([0b1111, 0b1100, 0b1000]) != {}
    assert phase_groups([0b1111, 0b1100, 0b0111, 0b1000]) == {}


def test_calls_are_marked_and_turned():
    sample = SampleCall((0, 1), (5, 5), 10, 99, (100, 0, 100))
    calls = [Call(0, pos, "A", ("C",), 50.0, (), {}, (sample,)) for pos in (9, 19)]
    first, second = phase_calls(calls, [0b01, 0b10], [1, 1])
    assert first.samples[0].phase == ("0|1", "10_A_C", 10)
    assert first.samples[0].genotype == (0, 1)
    assert second.samples[0].phase == ("1|0", "10_A_C", 10)
    assert second.samples[0].genotype == (1, 0)
