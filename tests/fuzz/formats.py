"""Per format: how a number becomes an input and a command line, and how an answer is judged where gpuvc gives one.

A judge raises Wrong, or returns in a word what kind of right answer it saw.
"""

import gzip
import shlex
import struct
import zlib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pysam

from gpuvc.errors import GpuvcError, InputError
from gpuvc.intervals import Contigs, Interval
from gpuvc.io.alignments import open_alignments
from gpuvc.io.bed import read_ploidies, resolve_intervals
from gpuvc.io.columns import join_batches, take_reads
from gpuvc.io.fasta import open_reference
from gpuvc.io.given import GivenAlleles
from gpuvc.io.header import parse_bam_header
from gpuvc.io.records import hash_name
from gpuvc.options.call import CALL_OPTIONS
from gpuvc.options.kinds import Choice, Flag, Integer, Number, Option, Switch
from gpuvc.options.others import NOTED, REFUSED
from reference.oracles.columns import columns_of
from tests.fuzz import guarded, plain_reading
from tests.fuzz.mutate import BYTES, FIELDS, INT32, INT64, Draws, compress, mutate_bytes, mutate_text, put, several
from tests.fuzz.seeds import LENGTHS, STORED_BLOCK_BYTES
from tests.unit.io import bam_files

CONTIGS = Contigs(tuple(LENGTHS), tuple(LENGTHS.values()))
COMPARED = guarded.COMPARED


AS_THE_INDEX = "what the index leads to, as in htslib"


class Wrong(Exception):
    """An answer that is not the right one."""


class Case(NamedTuple):
    """One input. `files`: name → bytes, written where the command runs. `outputs`: what the command writes, if it ends well."""

    arguments: list[str]
    files: dict[str, bytes]
    outputs: tuple[str, ...] = ("out/out.vcf",)
    about: Any = None  # for the judge


def _call(*more, reference="ref.fa", alignments="reads.bam", output="out/out.vcf"):
    return ["call", "-R", reference, "-I", alignments, "-O", output, "--QUIET", "true", "--device", "cpu", "--threads", "1", *more]


def _pick(seeds, *names):
    return {name: seeds[name] for name in names}


# ------------------------------------------------------------------------------------------------------------------- BAM, BGZF

_FIXED_FIELDS = (  # of a record: where, and how wide
    (0, "<i"), (4, "<i"), (8, "<i"), (12, "<B"), (13, "<B"), (14, "<H"), (16, "<H"), (18, "<H"),
    (20, "<i"), (24, "<i"), (28, "<i"), (32, "<i"),
)  # fmt: skip


def _mutate_record(data, draws):
    """A field of a record, an operation of its CIGAR, or a byte near."""
    at = draws.pick(bam_files.record_offsets(data))
    kind = draws.below(5)
    n_name, n_cigar = data[at + 12], struct.unpack_from("<H", data, at + 16)[0]
    if kind < 2:
        field, layout = draws.pick(_FIXED_FIELDS)
        old = int.from_bytes(data[at + field : at + field + struct.calcsize(layout)], "little")
        return put(data, at + field, layout, draws.pick((*INT32, old + 1, old - 1, old ^ 1 << draws.below(16))))
    if kind == 2 and n_cigar:
        operation = at + 36 + n_name + 4 * draws.below(n_cigar)
        return put(data, operation, "<I", draws.pick((draws.below(1 << 32), draws.below(300) << 4 | draws.below(10), *INT32)))
    if kind == 3:
        (size,) = struct.unpack_from("<i", data, at)
        near_end = at + 4 + max(0, size - 1 - draws.below(60))  # where its tags are
        return put(data, near_end, "<B", draws.pick((*BYTES, *b"ABCZHIfdXRG")))
    return put(data, at + draws.below(60), "<B", draws.pick(BYTES))


def _mutate_header(data, draws):
    """A length or byte of the header, in binary or text."""
    (n_text,) = struct.unpack_from("<i", data, 4)
    if draws.one_in(3):
        text = mutate_text(data[8 : 8 + n_text], draws)
        return data[:4] + struct.pack("<i", len(text)) + text + data[8 + n_text :]
    at = draws.pick((0, 4, 8 + n_text, 12 + n_text, 16 + n_text, 21 + n_text, draws.below(30 + n_text)))
    return put(data, at, "<i", draws.pick((*INT32, draws.below(300), n_text - 1, n_text + 1)))


def _mutate_order(data, draws):
    """Records lost, doubled, out of order, or one cut short at the end."""
    at = [*bam_files.record_offsets(data), len(data)]
    first = draws.below(len(at) - 1)
    last = min(len(at) - 1, first + 1 + draws.below(5))
    other = draws.below(len(at))
    kind = draws.below(4)
    if kind == 0:
        return data[: at[first]] + data[at[last] :]
    if kind == 1:
        return data[: at[last]] + data[at[first] :]
    if kind == 2:
        return data[: at[other]] + data[at[first] : at[last]] + data[at[other] :]
    return data[: at[-2] + draws.below(at[-1] - at[-2])]


_BAM_COMMANDS = (
    (_call(), ("out/out.vcf",)),
    (_call(), ("out/out.vcf",)),
    (_call("--engine", "pileup"), ("out/out.vcf",)),
    (_call("--concordance", "hc", "--transform-dragen-mapping-quality"), ("out/out.vcf",)),
    (_call("-ERC", "GVCF"), ("out/out.vcf",)),
    (_call("-L", "chr1:500-900", output="out/out.vcf.gz"), ("out/out.vcf.gz", "out/out.vcf.gz.tbi")),
    (_call("--report", "out/report.json", "--shard-bytes", "9000"), ("out/out.vcf", "out/report.json")),
    (_call("--bam-output", "out/re.bam"), ("out/out.vcf", "out/re.bam", "out/re.bai")),
    (["pileup", "-R", "ref.fa", "-I", "reads.bam", "-O", "out/out.tsv", "--QUIET", "true", "--device", "cpu"], ("out/out.tsv",)),
    (["explain", "chr1:451", "-R", "ref.fa", "-I", "reads.bam", "--device", "cpu"], ()),
)


def bam_case(seeds, number):
    """Changed inflated data under right checksums, in stored blocks with the index of the original, or packed without one."""
    draws = Draws("bam", number)
    data = seeds["reads.bam inflated"]
    for _ in range(draws.pick((1, 1, 1, 2, 4))):
        mutation = draws.pick((_mutate_record,) * 8 + (_mutate_header, _mutate_order, mutate_bytes))
        try:
            data = mutation(data, draws)
        except (struct.error, IndexError, ZeroDivisionError):  # it is damaged so far that there are no records to go by
            data = mutate_bytes(data, draws)
    arguments, outputs = draws.pick(_BAM_COMMANDS)
    files = _pick(seeds, "ref.fa", "ref.fa.fai")
    if draws.below(3):
        files |= {"reads.bam": _in_blocks(data, STORED_BLOCK_BYTES, 0), "reads.bam.bai": seeds["reads.bam.bai"]}
    else:
        files["reads.bam"] = _in_blocks(data, draws.pick((300, 4000, 60_000)), 1)
    return Case(arguments, files, outputs, data)


def _in_blocks(data, block_bytes, level):
    starts = range(0, len(data), block_bytes)
    return b"".join(bam_files.block(data[start : start + block_bytes], level) for start in starts) + bam_files.EOF_BLOCK


def before_bam(case):
    """What is done with every input: the kernels alone, against protected pages. Their records are kept for the judge."""
    header, header_bytes = _good_header()
    if case.about.startswith(header_bytes):
        guarded.records_alone(case.about, header)


@cache
def _good_header():
    with pysam.BGZFile("../seeds/reads.bam") as file:
        data = file.read()
    header = parse_bam_header(data, "reads.bam")
    return header, data[: header.n_bytes]


@cache
def _truth(name, reference=None):
    """The columns of a good file, and its contigs."""
    with open_alignments(["../seeds/" + name], reference=reference) as source:
        return join_batches([join_batches([batch]) for batch in source.batches()]), source.contigs


def judge_bam(case):
    """The columns are pysam's, read through or by the index."""
    return judge_columns("reads.bam", data=case.about)


def _names_with_nul(data):
    """Records of the inflated bytes whose name has a NUL before its end."""
    names = (data[at + 36 : at + 36 + data[at + 12]] for at in bam_files.record_offsets(data))
    return sum(b"\0" in name[:-1] for name in names)


def judge_columns(path, reference=None, data=None):
    try:
        with open_alignments([path], reference=reference) as source:
            whole = join_batches([join_batches([batch]) for batch in source.batches()])
            groups = [group.id for group in source.read_groups]
            names, lengths, is_sequential = source.contigs.names, source.contigs.lengths, source.is_sequential
            regions = []
            for contig_id, length in enumerate(lengths[:2]):
                for start, end in ((0, length), (length // 3, length // 2), (min(500, length), min(900, length))):
                    interval = Interval(contig_id, start, end)
                    if not is_sequential:
                        regions.append((interval, source.fetch(interval)))
    except InputError:
        return "right before the damage"
    try:
        with pysam.AlignmentFile(path, check_sq=False, reference_filename=reference) as file:
            expected, read_names = columns_of(file.fetch(until_eof=True), groups)
            if (names, lengths) != (file.references, file.lengths):
                raise Wrong("the contigs are not pysam's")
    except NotImplementedError:
        if struct.unpack_from("<H", Path(path).read_bytes(), 10)[0] == 6:
            raise
        return "right, and htslib takes it for gzip (another subfield stands before BC)"
    except (OSError, ValueError) as error:
        return _only_ours(whole, error)
    # To pysam a read whose first quality is 255 has none; the column holds what is stored.
    if len(expected.base_offsets) != len(whole.base_offsets):
        raise Wrong(f"{whole.n_reads} reads, pysam has {expected.n_reads}")
    first = np.append(expected.base_quals, 0)[expected.base_offsets[:-1]]
    without_quals = np.repeat(first == 255, np.diff(expected.base_offsets))
    if len(without_quals) == len(whole.base_quals):
        whole_quals, whole.base_quals = whole.base_quals, np.where(without_quals, 255, whole.base_quals)
    consumes = np.isin(expected.cigar & 15, (0, 2, 3, 7, 8)) * (expected.cigar >> 4).astype(np.int64)
    sums = np.concatenate([[0], np.cumsum(consumes)])
    spanless = sums[expected.cigar_offsets[1:]] == sums[expected.cigar_offsets[:-1]]
    expected.ref_end = np.where(spanless, expected.pos, expected.ref_end)  # pysam counts a base where a CIGAR has none
    for name in COMPARED:
        if not np.array_equal(getattr(whole, name), getattr(expected, name)):
            raise Wrong(f"column {name} is not pysam's")
    # A name with a NUL inside ends there for pysam; its hash is of all that is stored.
    other_names = sum(hash_name(name) != found for name, found in zip(read_names, whole.name_hash.tolist()))
    if other_names > (0 if data is None else _names_with_nul(data)):
        raise Wrong("name_hash is not that of pysam's names")
    whole.base_quals = whole_quals
    lost = False
    for interval, found in regions:
        wanted = take_reads(whole, _overlapping(whole, interval))
        if all(np.array_equal(getattr(found, name), getattr(wanted, name)) for name in (*COMPARED, "name_hash")):
            continue
        lost |= _check_by_index(path, names[interval.contig_id], interval, found, wanted)
    if lost:
        return AS_THE_INDEX
    return "right"


def _only_ours(whole, error):
    """Why pysam refuses what gpuvc reads; Wrong for any reason but those that are known."""
    said = str(error)
    if isinstance(error, UnicodeDecodeError):
        return "right, and pysam's names are no text"
    consumes = np.isin(whole.cigar & 15, (0, 1, 4, 7, 8)) * (whole.cigar >> 4).astype(np.int64)
    sums = np.concatenate([[0], np.cumsum(consumes)])
    n_read = sums[whole.cigar_offsets[1:]] - sums[whole.cigar_offsets[:-1]]
    n_cigar, n_bases = np.diff(whole.cigar_offsets), np.diff(whole.base_offsets)
    if ((n_cigar > 0) & (n_read != n_bases) & (n_bases > 0)).any():
        return "right, and filtered (htslib refuses a CIGAR of another length)"
    raise Wrong(f"pysam refuses it ({said})")


_BLOCK_FIELDS = ((0, "<i"), (3, "<B"), (4, "<I"), (8, "<B"), (10, "<H"), (12, "<H"), (14, "<H"), (16, "<H"))


def bgzf_case(seeds, number):
    """Changed compressed bytes: block headers and trailers, whole blocks, gzip in place of bgzip, anything."""
    draws = Draws("bgzf", number)
    data = several(_mutate_blocks, seeds["packed.bam"], draws)
    arguments, outputs = draws.pick(_BAM_COMMANDS)
    files = _pick(seeds, "ref.fa", "ref.fa.fai") | {"reads.bam": data}
    if draws.one_in(2):
        files["reads.bam.bai"] = seeds["packed.bam.bai"]
    return Case(arguments, files, outputs)


def _starts_of_blocks(data):
    starts, at = [], 0
    while data[at : at + 4] == b"\x1f\x8b\x08\x04" and at + 18 <= len(data):
        starts.append(at)
        at += struct.unpack_from("<H", data, at + 16)[0] + 1
    return starts or [0], min(at, len(data))


def _mutate_blocks(data, draws):
    starts, end = _starts_of_blocks(data)
    bounds = [*starts, end]
    k = draws.below(len(starts))
    start, stop = bounds[k], bounds[k + 1]
    block = data[start:stop]
    kind = draws.below(11)
    if kind < 3:
        at, layout = draws.pick(_BLOCK_FIELDS)
        old = int.from_bytes(block[at : at + struct.calcsize(layout)], "little")
        return put(data, start + at, layout, draws.pick((*INT32, old + 1, old - 1, draws.below(1 << 16))))
    if kind == 3:  # checksum or size
        return put(data, max(0, stop - draws.pick((8, 4))), "<I", draws.pick((*INT32, draws.below(1 << 17))))
    if kind == 4:  # the size one more or less
        old = int.from_bytes(data[stop - 4 : stop], "little")
        return put(data, max(0, stop - 4), "<I", old + draws.pick((-1, 1)))
    if kind == 5:  # blocks lost, doubled, swapped
        other = draws.below(len(starts))
        moved = data[bounds[other] : bounds[other + 1]]
        return draws.pick((data[:start] + data[stop:], data[:stop] + data[start:], data[:start] + moved + data[stop:]))
    if kind == 6:  # one block in another form
        inflated = _inflate_block(block)
        forms = (
            gzip.compress(inflated, mtime=0), bam_files.block(inflated, draws.below(10)), bam_files.block(b""), inflated, b"",
            bam_files.block(inflated[: len(inflated) // 2]) + bam_files.block(inflated[len(inflated) // 2 :]),
            bam_files.block(inflated + b"\0"),
        )  # fmt: skip
        return data[:start] + draws.pick(forms) + data[stop:]
    if kind == 7:  # a further subfield before BC, or another in its place
        extra = draws.pick((b"XX\2\0ab", b"XX\0\0", b"BC\2\0", b"XX\xff\xff", b""))
        body = struct.pack("<H", min(65535, max(0, len(block) - 1 + len(extra))))
        changed = block[:10] + struct.pack("<H", 6 + len(extra)) + extra + b"BC\2\0" + body + block[18:]
        return data[:start] + changed + data[stop:]
    if kind == 8:
        inflated = _inflate(data)
        forms = (
            data + b"\0" * 28,
            data[:-28],
            data[28:],
            gzip.compress(data, mtime=0),
            data if inflated is None else gzip.compress(inflated),
        )
        return draws.pick(forms)
    return mutate_bytes(data, draws)


def _inflate_block(block):
    try:
        return zlib.decompress(block[18:-8], -15)
    except zlib.error:
        return b"damaged"


def _inflate(data):
    """The inflated bytes of a whole file; None where it is damaged."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None


def before_bgzf(case):
    guarded.blocks_alone(case.files["reads.bam"])


# ------------------------------------------------------------------------------------------------------------------- indexes


def index_case(seeds, number):
    """BAI and CSI: offsets, bins, counts, depths out of range or out of order; compressed and not."""
    draws = Draws("index", number)
    name = draws.pick(("spread.bam", "spread.bam", "reads.bam"))
    kind = draws.pick(("bai", "csi"))
    data = seeds[f"{name}.{kind}"]
    if kind == "csi":
        data = gzip.decompress(data)
    data = several(_mutate_csi if kind == "csi" else _mutate_bai, data, draws)
    if kind == "csi" and draws.below(4):
        data = _in_blocks(data, 60_000, 1)
        if draws.one_in(6):
            data = mutate_bytes(data, draws)
    start = draws.below(2900 if name == "reads.bam" else 99_000)
    region = draws.pick((f"chr1:{start + 1}-{start + 100}", "chr2:200-300"))
    reference = "ref.fa" if name == "reads.bam" else "spread.fa"
    if draws.one_in(3):
        arguments, outputs = _call("-L", region, reference=reference, alignments=name), ("out/out.vcf",)
    else:
        arguments = ["pileup", "-R", reference, "-I", name, "-L", region, "-O", "out/out.tsv", "--QUIET", "true", "--device", "cpu"]
        outputs = ("out/out.tsv",)
    files = _pick(seeds, reference, reference + ".fai", name) | {f"{name}.{kind}": data}
    return Case(arguments, files, outputs, (name, draws.below(90_000)))


def _overlapping(batch, interval):
    """Rows of the reads that overlap."""
    reaches = np.maximum(batch.ref_end, batch.pos + 1) > interval.start
    return np.flatnonzero((batch.contig_id == interval.contig_id) & (batch.pos < interval.end) & reaches)


def _keys(batch):
    return list(zip(batch.name_hash.tolist(), batch.pos.tolist(), batch.flag.tolist()))


def _check_by_index(path, contig, interval, found, wanted):
    """True where an index lost some of the `wanted` reads, though none that htslib finds by it; Wrong where others are missing, or more."""
    wanted, got = _keys(wanted), _keys(found)
    if got == wanted:
        return False
    if not Counter(got) <= Counter(wanted) or [key for key in wanted if key in set(got)] != got:
        raise Wrong(f"{interval}: reads that do not overlap, twice, or out of order")
    try:
        with pysam.AlignmentFile(path) as file:
            theirs = {(int(hash_name(r.query_name)), r.reference_start, r.flag) for r in file.fetch(contig, interval.start, interval.end)}
    except (OSError, ValueError):
        raise Wrong(f"{interval}: {len(got)} of {len(wanted)} reads, by an index that htslib refuses") from None
    if not theirs <= set(got):
        raise Wrong(f"{interval}: {len(got)} of {len(wanted)} reads, and htslib finds {len(theirs)} by the same index")
    return True


def _mutate_bai(data, draws):
    kind = draws.below(4)
    if kind == 0 and len(data) > 20:
        return put(data, 4 + 4 * draws.below(len(data) // 4 - 1), "<i", draws.pick((*INT32, draws.below(40_000))))
    if kind == 1 and len(data) > 20:
        return put(
            data, 4 + 4 * draws.below(len(data) // 4 - 1), "<q", draws.pick((*INT64, draws.below(200_000) << 16 | draws.below(4000)))
        )
    if kind == 2 and len(data) > 40:  # two offsets change places
        a, b = (8 + 4 * draws.below(len(data) // 4 - 4) for _ in range(2))
        swapped = put(data, a, "<q", int.from_bytes(data[b : b + 8], "little"))
        return put(swapped, b, "<q", int.from_bytes(data[a : a + 8], "little"))
    return mutate_bytes(data, draws)


def _mutate_csi(data, draws):
    if draws.one_in(4):
        return put(data, draws.pick((4, 8, 12, 16)), "<i", draws.pick((*INT32, draws.below(64))))
    return _mutate_bai(data, draws)


def judge_index(case):
    """Only reads that overlap, in order; all that htslib finds by the same index."""
    name, start = case.about
    lost = False
    truth, contigs = _truth(name)
    lengths, names = contigs.lengths, contigs.names
    start %= lengths[0]
    intervals = [Interval(0, 0, lengths[0]), Interval(1, 0, lengths[1]), Interval(0, start, min(lengths[0], start + 2000))]
    for interval in intervals:
        try:
            with open_alignments([name]) as source:
                found = source.fetch(interval)
        except InputError:
            continue
        lost |= _check_by_index(name, names[interval.contig_id], interval, found, take_reads(truth, _overlapping(truth, interval)))
    return AS_THE_INDEX if lost else "right"


# ------------------------------------------------------------------------------------------------------------------- CRAM


def cram_case(seeds, number):
    """Changed bytes of a CRAM, or lines of its index."""
    draws = Draws("cram", number)
    files = _pick(seeds, "ref.fa", "ref.fa.fai", "reads.cram")
    of_index = draws.one_in(3)
    if of_index:
        text = several(mutate_text, seeds["reads.cram.crai text"], draws)
        files["reads.cram.crai"] = draws.pick((text, gzip.compress(text, mtime=0), compress(text, draws)))
    else:
        data = several(_mutate_cram, seeds["reads.cram"], draws)
        if draws.one_in(2) and not data.endswith(seeds["reads.cram"][-38:]):
            data += seeds["reads.cram"][-38:]
        files["reads.cram"] = data
        if draws.one_in(2):
            files["reads.cram.crai"] = seeds["reads.cram.crai"]
    if draws.one_in(3):
        arguments, outputs = (
            ["pileup", "-R", "ref.fa", "-I", "reads.cram", "-O", "out/out.tsv", "--QUIET", "true", "--device", "cpu"],
            ("out/out.tsv",),
        )
    elif "reads.cram.crai" in files and draws.one_in(2):
        arguments, outputs = _call("-L", "chr1:500-900", alignments="reads.cram"), ("out/out.vcf",)
    else:
        arguments, outputs = _call(alignments="reads.cram"), ("out/out.vcf",)
    return Case(arguments, files, outputs, of_index)


def _mutate_cram(data, draws):
    if draws.one_in(3) and len(data) > 60:  # near the head of the file or of a container
        starts = [0, 26, *(at for at in (342, 2779, 5057, 7427, 9312, 11734, 12843) if at + 40 < len(data))]
        return put(data, draws.pick(starts) + draws.below(30), draws.pick(("<B", "<i")), draws.pick((*INT32, *BYTES)))
    return mutate_bytes(data, draws)


def judge_cram(case):
    """The columns are pysam's; by a damaged index, as for BAM."""
    if case.about:
        truth, _ = _truth("reads.cram", "../seeds/ref.fa")
        names = set(zip(truth.name_hash.tolist(), truth.pos.tolist(), truth.flag.tolist()))
        n_lost = 0
        for contig_id, length in enumerate(LENGTHS.values()):
            try:
                with open_alignments(["reads.cram"], reference="ref.fa") as source:
                    found = source.fetch(Interval(contig_id, 0, length))
            except InputError:
                continue
            got = list(zip(found.name_hash.tolist(), found.pos.tolist(), found.flag.tolist()))
            if not set(got) <= names or len(set(got)) != len(got):
                raise Wrong(f"contig {contig_id}: other reads than the file has")
            n_lost += int((truth.contig_id == contig_id).sum()) - len(got)
        return AS_THE_INDEX if n_lost else "right"
    return judge_columns("reads.cram", "ref.fa")


# ------------------------------------------------------------------------------------------------------------------- FASTA


def fasta_case(seeds, number):
    """Changed text of a FASTA or its .fai; bgzipped ones by bytes, or by their .gzi."""
    draws = Draws("fasta", number)
    files = _pick(seeds, "reads.bam", "reads.bam.bai")
    name = draws.pick(("ref.fa", "ref.fa", "ref.fa.gz"))
    files |= _pick(seeds, name, name + ".fai", *(("ref.fa.gz.gzi",) if name == "ref.fa.gz" else ()))
    target = draws.pick([file for file in files if file.startswith(name)] + [name + ".fai"] * 2)
    if target == "ref.fa.gz":
        files[target] = several(_mutate_blocks, files[target], draws)
    elif target.endswith(".gzi"):
        files[target] = several(draws.pick((_mutate_bai, mutate_bytes)), files[target], draws)
    else:
        files[target] = several(mutate_text, files[target], draws)
    if draws.one_in(60):
        files[name] = gzip.compress(seeds["ref.fa"], mtime=0)
    if draws.one_in(60):
        del files[draws.pick([file for file in files if file.startswith(name)])]
    more = draws.pick(((), (), ("-L", "chr2:300-500"), ("--engine", "pileup"), ("-ERC", "BP_RESOLUTION")))
    return Case(_call(*more, reference=name), files, about=(name, more))


def judge_fasta(case):
    """The bases are those of the text."""
    name, more = case.about
    data = case.files[name]
    if name == "ref.fa.gz":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return "right before the damage"
    sequences = plain_reading.fasta(data)
    for contig, start, end in [("chr2", 290, 510)] if "-L" in more else [(contig, 0, length) for contig, length in LENGTHS.items()]:
        try:
            codes = open_reference(name).window(contig, start, end)
        except (GpuvcError, KeyError):
            continue  # not asked for: no read lies there
        letters = sequences.get(contig, "").upper()[start:end]
        if len(letters) != end - start:
            raise Wrong(f"{contig}: {end - start} bases of {len(letters)}")
        expected = np.array(["ACGT".find(letter) for letter in letters])
        if not np.array_equal(np.where(expected < 0, 4, expected), codes):
            raise Wrong(f"{contig}:{start}-{end}: not the bases of the text")
    return "right"


# ------------------------------------------------------------------------------------------------------------------- intervals

_INTERVALS = {
    "where.bed": plain_reading.bed, "where.interval_list": plain_reading.interval_list, "where.list": plain_reading.region_list,
    "given.vcf": plain_reading.vcf_intervals, "ploidies.bed": plain_reading.bed,
}  # fmt: skip


def intervals_case(seeds, number):
    """BED, interval_list, .list and VCF as -L or -XL, and ploidies; plain or compressed. Or DRAGstr's tables."""
    draws = Draws("bed", number)
    name = draws.pick(("where.bed", "where.bed", "where.interval_list", "where.list", "given.vcf", "ploidies.bed", "tables.txt"))
    data = several(mutate_text, seeds[name], draws)
    written = name
    if draws.one_in(6):
        data = compress(data, draws)
        written = name + draws.pick((".gz", ".bgz", ""))
    files = _pick(seeds, "ref.fa", "ref.fa.fai", "reads.bam", "reads.bam.bai") | {written: data}
    if name == "ploidies.bed":
        more = ("--ploidy-regions", written)
    elif name == "tables.txt":
        more = ("--dragstr-params-path", written, "--concordance", "hc")
    else:
        more = draws.pick((("-L", written), ("-L", written), ("-XL", written), ("-L", written, "-ip", "50")))
    return Case(_call(*more), files, about=(name, written, more))


def judge_intervals(case):
    """The intervals are those of a plain reading."""
    name, written, _ = case.about
    if name == "tables.txt":
        return "right"
    try:
        rows = _INTERVALS[name](case.files[written])
    except plain_reading.Refused as error:
        raise Wrong(f"a plain reading refuses it: {error}") from error
    if name == "ploidies.bed":
        found = [(contig, start, end) for contig, part in zip(LENGTHS, read_ploidies(written, CONTIGS)) for start, end, _ in part.tolist()]
        if sorted(found) != sorted(rows):
            raise Wrong("other intervals than a plain reading's")
        return "right"
    expected = plain_reading.merged(rows)
    found = dict(zip(LENGTHS, resolve_intervals([written], contigs=CONTIGS)))
    if {contig: part.tolist() for contig, part in found.items()} != expected:
        raise Wrong("other intervals than a plain reading's")
    return "right"


def judge_refused_intervals(case, said):
    """A plain reading refuses it, too, or it is empty."""
    name, written, _ = case.about
    if name in ("tables.txt", "ploidies.bed"):
        return
    try:
        rows = _INTERVALS[name](case.files[written])
    except plain_reading.Refused:
        return
    if rows and "every position excluded" not in said:
        raise Wrong(f"a plain reading takes it: {said}")


# ------------------------------------------------------------------------------------------------------------------- VCF


def vcf_case(seeds, number):
    """VCF and BCF as --alleles, plain or compressed, or their index; BCF as -L."""
    draws = Draws("vcf", number)
    files = _pick(seeds, "ref.fa", "ref.fa.fai", "reads.bam", "reads.bam.bai")
    kind = draws.below(8)
    option = "--alleles"
    if kind < 4:
        name, data = "given.vcf", several(mutate_text, seeds["given.vcf"], draws)
    elif kind == 4:
        name, data = "given.vcf.gz", several(_mutate_blocks, seeds["given.vcf.gz"], draws)
        files[name + ".tbi"] = seeds[name + ".tbi"]
    elif kind == 5:
        name, data = "given.vcf.gz", seeds["given.vcf.gz"]
        index = several(_mutate_bai, gzip.decompress(seeds[name + ".tbi"]), draws)
        files[name + ".tbi"] = _in_blocks(index, 60_000, 1) if draws.below(4) else compress(index, draws)
    else:
        name, data = "given.bcf", _in_blocks(several(mutate_bytes, seeds["given.bcf inflated"], draws), 60_000, 1)
        files[name + ".csi"] = seeds[name + ".csi"]
        option = draws.pick(("--alleles", "-L"))
    files[name] = data
    more = draws.pick(((), ("--concordance", "hc"), ("-ERC", "GVCF")))
    return Case(_call(option, name, *more), files, about=(name, kind))


def judge_vcf(case):
    """The alleles are those of a plain reading of the text."""
    name, kind = case.about
    if kind > 3:
        return "right"
    try:
        expected = plain_reading.vcf_alleles(case.files[name])
    except plain_reading.Refused as error:
        raise Wrong(f"a plain reading refuses it: {error}") from error
    given = GivenAlleles(name, CONTIGS)
    genome = open_reference("ref.fa")
    for contig_id, (contig, length) in enumerate(LENGTHS.items()):
        try:
            found = given.near(Interval(contig_id, 0, length), genome)
        except InputError:
            return "right before the damage"
        if [(record.start, record.ref, record.alts) for record in found] != expected[contig]:
            raise Wrong(f"{contig}: other alleles than a plain reading's")
    return "right"


# ------------------------------------------------------------------------------------------------------------------- options

_TABLE = (*CALL_OPTIONS, *NOTED, *REFUSED)
_NAMES = {name for option in _TABLE for name in option.names}
# The most they take is honest work for minutes.
_SLOW = ("assembly_region_padding", "max_assembly_region_size", "min_assembly_region_size")
_LEFT_OUT = (
    *_SLOW,
    "alignments",
    "reference",
    "output",
    "device",
    "threads",
    "report",
    "bam_output",
    "assembly_region_out",
    "arguments_file",
)
_VALUES = (
    *FIELDS[:34], "true", "false", "TRUE", "NONE", "none", "hc", "haplotype", "pileup", "GVCF", "UNION",
    "chr1:100-900", "chr1:900-100", "chr2",
    "10", "30", "100", "0.5", "1e-3", "-0.0", "-", "--", "a b", "ann", "MappedReadFilter", "where.bed", "given.vcf", "nowhere/x.vcf",
)  # fmt: skip


def options_case(seeds, number):
    """Words of the tables with good and bad values, in any number and order; now and then a word that is changed."""
    draws = Draws("options", number)
    words, is_bad = [], False
    seen = {"quiet", *_LEFT_OUT}
    for _ in range(1 + draws.below(4)):
        option = draws.pick(_TABLE)
        to = option.to if isinstance(option, Option) else None
        if to in _LEFT_OUT or to == "quiet":
            continue
        name = draws.pick(option.names)
        kind = option.kind if isinstance(option, Option) else option.takes
        value = None if isinstance(kind, Flag) else _value(kind, draws)
        if draws.one_in(30):
            name = draws.pick((name.upper() + "X", name[1:], name + "_", name.replace("-", "_") + "q", "-" + name))
            is_bad |= name not in _NAMES  # a dash more makes a long name of some
        if value is not None and ("\0" in value):
            value = "nul"
        words += [name] if value is None else [f"{name}={value}"] if draws.one_in(3) else [name, value]
        is_bad |= not _is_good(kind, value) or (to in seen and to is not None and not option.repeatable)
        seen.add(to)
    if draws.one_in(40):
        words.append(draws.pick(("stray", "--", "-", "--input", "-O", "=", "--=x", "\u00e9")))
        is_bad = True
    files = _pick(seeds, "ref.fa", "ref.fa.fai", "reads.bam", "reads.bam.bai", "where.bed", "given.vcf")
    if draws.one_in(6):
        text = shlex.join(words).encode("utf-8", "surrogateescape")
        text = several(mutate_text, text, draws)
        files["more.args"] = text
        return Case(_call("--arguments_file", "more.args"), files, about=None)
    return Case(_call(*words), files, about=is_bad)


def _value(kind, draws):
    if draws.one_in(4):
        return draws.pick(_VALUES)
    if isinstance(kind, Integer):
        inside = kind.least + draws.below(min(100, kind.most - kind.least + 1))
        return str(draws.pick((kind.least, inside, inside, min(kind.most, 1000), kind.most, kind.least - 1, kind.most + 1)))
    if isinstance(kind, Number):
        return draws.pick((str(kind.least), "0.1", "0.001", "5", "1e-300", str(kind.most), "-1"))
    if isinstance(kind, Choice):
        return draws.pick(kind.words)
    if isinstance(kind, Switch):
        return draws.pick(("true", "false"))
    return draws.pick(("where.bed", "given.vcf", "ann", "chr1:200-800"))


def _is_good(kind, value):
    """Whether a value is of its kind, decided without the tables' own reader."""
    if isinstance(kind, Flag):
        return value is None
    if isinstance(kind, Integer):
        digits = value[1:] if value[:1] == "-" else value
        if not 0 < len(digits) < 4000 or not all("0" <= letter <= "9" for letter in digits):
            return False
        return kind.least <= int(digits) * (-1 if value[:1] == "-" else 1) <= kind.most
    if isinstance(kind, Choice):
        return value.lower() in [word.lower() for word in kind.words]
    if isinstance(kind, Switch):
        return value.lower() in ("true", "false")
    return True  # a number's text, or any text: not decided here


def judge_options(case):
    if case.about:
        raise Wrong("an option that is wrong was taken")
    return "right"


# ------------------------------------------------------------------------------------------------------------------- all of them


class Format(NamedTuple):
    """`share` of all inputs. `before(case)` is done with every input, `refused(case, said)` judges an error."""

    case: Any
    judge: Any
    share: int
    before: Any = None
    refused: Any = None


FORMATS = {
    "bam": Format(bam_case, judge_bam, 22, before_bam),
    "bgzf": Format(bgzf_case, judge_bam, 14, before_bgzf),
    "index": Format(index_case, judge_index, 14),
    "cram": Format(cram_case, judge_cram, 6),
    "fasta": Format(fasta_case, judge_fasta, 12),
    "bed": Format(intervals_case, judge_intervals, 14, refused=judge_refused_intervals),
    "vcf": Format(vcf_case, judge_vcf, 10),
    "options": Format(options_case, judge_options, 8),
}
