"""Reads as columns, one pysam record after the other: what gpuvc's decoder is held against. Slow, and short enough to check by eye."""

import numpy as np

from gpuvc.batches import ReadBatch

# Codes 0..4 = A C G T N; every other letter is N.
CODES = np.full(256, 4, np.uint8)
CODES[np.frombuffer(b"ACGT", np.uint8)] = range(4)


def columns_of(records, read_group_ids):
    """(ReadBatch, read names) of pysam records; `read_group_ids` are those of the header, in order. name_hash stays 0."""
    index_of_group = {}
    for i, group_id in enumerate(read_group_ids):
        index_of_group.setdefault(group_id, i)
    fields, names, cigars, bases, quals, lengths = [], [], [], [], [], []
    for record in records:
        sequence = record.query_sequence or ""
        cigar = record.cigartuples or []
        fields.append((
            record.reference_id, record.reference_start,
            record.reference_start if record.reference_end is None else record.reference_end,
            record.mapping_quality, record.flag, index_of_group.get(record.get_tag("RG"), -1) if record.has_tag("RG") else -1,
            record.next_reference_id, record.next_reference_start, record.template_length,
        ))  # fmt: skip
        names.append(record.query_name)
        lengths.append((len(cigar), len(sequence)))
        cigars += [length << 4 | operation for operation, length in cigar]
        bases.append(sequence)
        quals.append(bytes(record.query_qualities) if record.query_qualities is not None else b"\xff" * len(sequence))
    contig_id, pos, ref_end, mapq, flag, group, mate_contig_id, mate_pos, template_length = np.array(fields, np.int64).reshape(-1, 9).T
    n_cigar, n_bases = np.array(lengths, np.int64).reshape(-1, 2).T
    batch = ReadBatch(
        contig_id=contig_id.astype(np.int32), pos=pos.astype(np.int32), ref_end=ref_end.astype(np.int32), mapq=mapq.astype(np.uint8),
        flag=flag.astype(np.uint16), read_group=group.astype(np.int16), mate_contig_id=mate_contig_id.astype(np.int32),
        mate_pos=mate_pos.astype(np.int32), template_length=template_length.astype(np.int32), name_hash=np.zeros(len(pos), np.uint64),
        cigar=np.array(cigars, np.uint32), cigar_offsets=np.concatenate([[0], np.cumsum(n_cigar)]),
        bases=CODES[np.frombuffer("".join(bases).encode(), np.uint8)], base_quals=np.frombuffer(b"".join(quals), np.uint8),
        base_offsets=np.concatenate([[0], np.cumsum(n_bases)]),
    )  # fmt: skip
    return batch, names
