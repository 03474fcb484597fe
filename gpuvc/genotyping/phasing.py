"""Physical phasing: variants that stand on the same haplotypes of a region, or on complementary ones."""

from dataclasses import replace

SAME, OPPOSITE = "0|1", "1|0"


def phase_groups(carriers):
    """Which records belong together, and on which of the two chromosomes: {record: (group, SAME or OPPOSITE)}.

    Parameters
    ----------
    carriers : list of int
        By record, in genome order: bit h is set when called haplotype h carries its alternate allele; 0 for a record that is not phased.

    Source: specification, section 5.5. Empty where the haplotypes contradict each other.
    """
    everyone = 0
    for mask in carriers:
        everyone |= mask
    groups, n_groups = {}, 0
    for i, one in enumerate(carriers):
        if not one:
            continue
        available = one
        for j in range(i + 1, len(carriers)):
            other = carriers[j]
            if not other:
                continue
            if one == other or (one == everyone and other & ~available == 0) or other == everyone:
                is_same = True
            elif one & other == 0 and one.bit_count() + other.bit_count() == everyone.bit_count():
                is_same = False
            else:
                continue
            if i not in groups:
                if j in groups:
                    return {}
                groups[i], groups[j] = (n_groups, SAME), (n_groups, SAME if is_same else OPPOSITE)
                n_groups += 1
                if is_same:
                    available &= other
            elif j not in groups:
                group, phase = groups[i]
                groups[j] = (group, phase if is_same else OPPOSITE if phase == SAME else SAME)
    return groups


def phase_calls(calls, carriers, own_alts):
    """The calls of one region with phase, where it is known.

    Parameters
    ----------
    calls : list[Call]
        In genome order, diploid.
    carriers : list of int
        As `phase_groups` takes them.
    own_alts : list of int
        By call: index of the one alternate allele that is its own (not `*`).
    """
    phased, first = list(calls), {}
    for k, (group, phase) in sorted(phase_groups(carriers).items()):
        leader = calls[first.setdefault(group, k)]
        mark = (phase, f"{leader.pos + 1}_{leader.ref}_{leader.alts[0]}", leader.pos + 1)
        place = 1 if phase == SAME else 0
        samples = []
        for sample in calls[k].samples:
            genotype = sample.genotype
            if genotype[0] != genotype[1] and genotype[place] != own_alts[k]:
                genotype = genotype[::-1]
            samples.append(replace(sample, genotype=genotype, phase=mark))
        phased[k] = replace(calls[k], samples=tuple(samples))
    return phased
