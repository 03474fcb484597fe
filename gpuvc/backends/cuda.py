"""A CUDA device, or numba.cuda's simulator of one.

Each call copies to the device what its items need, runs the kernel, and copies the answer back. Nothing stays there between calls,
since stages change reads in place and reuse their memory. When the device is short of memory the items are split; they are
independent of each other, so the answer is the same.

Calls may come from many threads. A lock lets in one at a time: its arrays have the device to themselves, so that a refused
allocation means too little memory and not bad timing; and the simulator cannot run two kernels at once. What overlapping copies
would gain has not been measured.
"""

import threading

import numpy as np
from numba import cuda
from numba.cuda.cudadrv.driver import driver
from numba.np.numpy_support import as_dtype

from gpuvc.errors import DeviceError
from gpuvc.kernels.cuda import align, genotypes, observe, pairhmm, pileup
from gpuvc.kernels.cuda.emulate import EmulatedDevice, emulator_problem
from gpuvc.kernels.cuda.launch import KERNELS, is_simulated

MIN_COMPUTE_CAPABILITY = (7, 5)  # the oldest that the tests compile the kernels for, and that CUDA 13 knows
FREE_SHARE = 0.9  # of the free memory that a call plans with; the rest is for the kernels' local arrays and for fragments
MAX_PLANNED_PARTS = 64  # parts repeat what all items share; smaller ones only where the device refuses these


class CudaBackend:
    """The operations of `gpuvc.backends.base.Backend` on the current CUDA device.

    Operations raise DeviceError when not even one of their items fits into the device's memory.
    """

    name = "cuda"

    def __init__(self):
        self.device = "CUDA simulator" if is_simulated() else _text(cuda.get_current_device().name)
        self._lock = threading.Lock()

    def pile_up(self, use, pos, flag, mapq, cigar, cigar_offsets, bases, base_quals, base_offsets, window_start, min_base_quality, counts):
        def part(first, last):
            chosen = use[first:last]
            reads = _span(chosen)
            operations, cigar_rows = _csr(cigar_offsets, reads)
            letters, base_rows = _csr(base_offsets, reads)
            inputs = (
                _from(chosen, reads), pos[reads], flag[reads], mapq[reads], cigar[operations], cigar_rows, bases[letters],
                base_quals[letters], base_rows, window_start, min_base_quality,
            )  # fmt: skip
            return inputs, (counts,), None

        self._run(pileup.pile_up, len(use), part)

    def collect_indels(
        self, use, pos, cigar, cigar_offsets, bases, base_offsets, reference, reference_start, slots,
        anchor, length, read_offset, shift, digest,
    ):  # fmt: skip
        def part(first, last):
            chosen = use[first:last]
            reads = _span(chosen)
            operations, cigar_rows = _csr(cigar_offsets, reads)
            letters, base_rows = _csr(base_offsets, reads)
            events, event_rows = _csr(slots, slice(first, last))
            inputs = (
                _from(chosen, reads), pos[reads], cigar[operations], cigar_rows, bases[letters], base_rows, reference, reference_start,
                event_rows,
            )  # fmt: skip
            outputs = tuple(column[events] for column in (anchor, length, read_offset, shift, digest))

            def settle():
                np.add(read_offset[events], letters.start, out=read_offset[events], where=anchor[events] >= 0)

            return inputs, outputs, settle

        self._run(pileup.collect_indels, len(use), part)

    def observe(
        self, pair_locus, pair_read, locus_pos, segment_start, segment_end, clip_reach,
        pos, cigar, cigar_offsets, bases, base_quals, base_offsets,
        code, quality, end_distance, segment_first, segment_length, segment_ref,
    ):  # fmt: skip
        def part(first, last):
            pairs = slice(first, last)
            reads = _span(pair_read[pairs])
            operations, cigar_rows = _csr(cigar_offsets, reads)
            letters, base_rows = _csr(base_offsets, reads)
            inputs = (
                pair_locus[pairs], _from(pair_read[pairs], reads), locus_pos, segment_start, segment_end, clip_reach, pos[reads],
                cigar[operations], cigar_rows, bases[letters], base_quals[letters], base_rows,
            )  # fmt: skip
            outputs = tuple(column[pairs] for column in (code, quality, end_distance, segment_first, segment_length, segment_ref))

            def settle():
                segment_first[pairs] += letters.start

            return inputs, outputs, settle

        self._run(observe.observe, len(pair_locus), part)

    def score_segments(
        self, pair_locus, segment_first, segment_length, segment_ref, cap, allele_slots, bases, base_quals, mismatch, misfit,
        haplotype_slots, haplotype_start, haplotype_offsets, haplotype_bases, gap_open, gap_extend, cheapest_gap, shift_low, shift_high,
        haplotype_allele, penalties,
    ):  # fmt: skip
        def part(first, last):
            pairs = slice(first, last)
            letters = slice(int(segment_first[pairs].min()), int((segment_first[pairs] + segment_length[pairs]).max()))
            alleles, allele_rows = _csr(allele_slots, pairs)
            loci = _span(pair_locus[pairs])
            haplotypes, haplotype_rows = _csr(haplotype_slots, loci)
            columns, column_rows = _csr(haplotype_offsets, haplotypes)
            inputs = (
                _from(pair_locus[pairs], loci), segment_first[pairs] - letters.start, segment_length[pairs], segment_ref[pairs], cap[pairs],
                allele_rows, bases[letters], base_quals[letters], mismatch, misfit, haplotype_rows, haplotype_start[loci], column_rows,
                haplotype_bases[columns], gap_open[columns], gap_extend[columns], cheapest_gap[haplotypes], shift_low[haplotypes],
                shift_high[haplotypes], haplotype_allele[haplotypes],
            )  # fmt: skip
            return inputs, (penalties[alleles],), None

        self._run(align.score_segments, len(pair_locus), part)

    def genotype_likelihoods(
        self, task_locus, task_genotype, pair_slots, allele_slots, penalties, error_weight, allele_counts, log_sum, copy_cost, out
    ):
        def part(first, last):
            tasks = slice(first, last)
            loci = _span(task_locus[tasks])
            pairs, pair_rows = _csr(pair_slots, loci)
            alleles, allele_rows = _csr(allele_slots, pairs)
            inputs = (
                _from(task_locus[tasks], loci), task_genotype[tasks], pair_rows, allele_rows, penalties[alleles], error_weight[pairs],
                allele_counts, log_sum, copy_cost,
            )  # fmt: skip
            return inputs, (out[tasks],), None

        self._run(genotypes.genotype_likelihoods, len(task_locus), part)

    def pair_hmm(
        self, read_slots, read_offsets, read_bases, base_quals, insertion_quals, deletion_quals, haplotype_slots, haplotype_offsets,
        haplotype_bases, gap_continuation, row_offsets, log10,
    ):  # fmt: skip
        """Regions are split where memory is short. Raises DeviceError too when what runs `pairhmm.cu` is not installed."""
        pending = [(0, len(read_slots) - 1)]
        with self._lock:
            device = _pair_hmm_device()
            while pending:
                first, last = pending.pop()
                rows, slots = _csr(read_slots, slice(first, last))
                letters, offsets = _csr(read_offsets, rows)
                reads = (slots, offsets, *(column[letters] for column in (read_bases, base_quals, insertion_quals, deletion_quals)))
                gaps = gap_continuation if np.ndim(gap_continuation) == 0 else gap_continuation[letters]
                chosen, slots = _csr(haplotype_slots, slice(first, last))
                letters, offsets = _csr(haplotype_offsets, chosen)
                haplotypes = (slots, offsets, haplotype_bases[letters])
                try:
                    pairhmm.pair_hmm(device, reads, haplotypes, gaps, row_offsets[rows], log10)
                except MemoryError as error:
                    if last - first < 2:
                        raise DeviceError(
                            f"memory of {self.device} in pair_hmm: found too little ({error}), expected enough for one region of "
                            f"{len(reads[1]) - 1} reads and {len(haplotypes[1]) - 1} haplotypes. Free some (nvidia-smi shows who holds "
                            "it), or use --device cpu."
                        ) from error
                    middle = (first + last) // 2
                    pending += [(middle, last), (first, middle)]

    def _run(self, launch, n_items, part):
        """Run a kernel over all items, in as few parts as memory allows.

        Parameters
        ----------
        launch : function
            Of `gpuvc.kernels.cuda`; takes inputs, then outputs.
        part : function
            (first, last) → inputs, outputs, settle: host arrays and numbers for these items alone; what else to do once outputs are back.
        """
        pending = [(0, n_items)] if n_items else []
        with self._lock:
            while pending:
                first, last = pending.pop()
                inputs, outputs, settle = part(first, last)
                _check_types(launch.__name__, (*inputs, *outputs))
                n_bytes = sum(array.nbytes for array in (*inputs, *outputs) if isinstance(array, np.ndarray))
                is_small = last - first <= max(1, n_items // MAX_PLANNED_PARTS)
                if (is_small or n_bytes <= FREE_SHARE * _free_bytes()) and _fitted(launch, inputs, outputs):
                    if settle is not None:
                        settle()
                elif last - first > 1:
                    middle = (first + last) // 2
                    pending += [(middle, last), (first, middle)]
                else:
                    raise DeviceError(
                        f"memory of {self.device} in {launch.__name__}: found {_free_bytes()} bytes free, expected {n_bytes} for the least "
                        "part of the work. Free some (nvidia-smi shows who holds it), or use --device cpu."
                    )


def _pair_hmm_device():
    """What runs `pairhmm.cu`: CuPy on a device; under numba.cuda's simulator, which knows Python only, an emulator of its own."""
    if is_simulated():
        problem = emulator_problem()
        if problem is not None:
            raise DeviceError(f"--device cuda: the simulator cannot run the PairHMM ({problem}). Use --device cpu.")
        return EmulatedDevice()
    try:
        return pairhmm.CupyDevice()
    except ImportError as error:
        raise DeviceError(
            f"--device cuda: the PairHMM needs CuPy, which does not load ({error}). Install gpuvc[cuda12] or gpuvc[cuda13], as the driver "
            "needs, or use --device cpu."
        ) from error


def _fitted(launch, inputs, outputs):
    """Run one part; False when the device refuses the memory, with nothing changed."""
    try:
        _run_part(launch, inputs, outputs)
    except Exception as error:
        # numba.cuda and cuda.core, which it stands on, have each a class of their own for this; both name the driver's code.
        if "OUT_OF_MEMORY" not in str(error):
            raise
        return False
    return True


def _run_part(launch, inputs, outputs):
    """Copy in, launch, copy out."""
    on_device = [cuda.to_device(value) if isinstance(value, np.ndarray) else value for value in (*inputs, *outputs)]
    launch(*on_device)
    for array, host in zip(on_device[len(inputs) :], outputs):
        array.copy_to_host(host)


def _free_bytes():
    """Free memory of the device; what numba.cuda has yet to give back (a few arrays) counts as used."""
    return cuda.current_context().get_memory_info()[0]


def _check_types(name, arguments):
    """Raise TypeError where an argument is not of the type that the kernel is compiled ahead for."""
    for i, (argument, kind) in enumerate(zip(arguments, KERNELS[name][1], strict=True)):
        if isinstance(argument, np.ndarray):
            fits = argument.dtype == as_dtype(kind.dtype) and argument.ndim == kind.ndim and argument.flags.c_contiguous
        else:
            fits = isinstance(argument, int | np.integer)
        if not fits:
            raise TypeError(f"{name}: argument {i} is {getattr(argument, 'dtype', type(argument))}, not {kind}")


def _span(indices):
    """The slice from the least to the greatest of them."""
    return slice(int(indices.min()), int(indices.max()) + 1)


def _from(indices, span):
    """The indices counted from the start of the span."""
    return indices - indices.dtype.type(span.start)


def _csr(offsets, rows):
    """Of a run of rows: the slice of the flat arrays they cover, and their offsets counted from its start."""
    some = offsets[rows.start : rows.stop + 1]
    return slice(int(some[0]), int(some[-1])), some - some[0]


def _is_too_old(compute_capability):
    return tuple(compute_capability[:2]) < MIN_COMPUTE_CAPABILITY


def _age(compute_capability):
    found, least = (".".join(map(str, version[:2])) for version in (compute_capability, MIN_COMPUTE_CAPABILITY))
    return f"compute capability {found} is too old, expected {least} or later"


def _text(name):
    return name.decode() if isinstance(name, bytes) else name


def device_problem():
    """Why the current device cannot be used, in a few words; None when it can."""
    card = cuda.get_current_device()
    return f"{_text(card.name)}: {_age(card.compute_capability)}" if _is_too_old(card.compute_capability) else None


def describe_cuda_devices():
    """Lines for `gpuvc doctor`: versions, then each device with its compute capability and memory."""
    lines = [f"CUDA driver {_version(driver)}, CUDA runtime {_version(cuda.runtime)}"]
    for card in cuda.gpus:
        with card:
            device = cuda.get_current_device()
            free, total = cuda.current_context().get_memory_info()
        age = f"; {_age(device.compute_capability)}" if _is_too_old(device.compute_capability) else ""
        capability = ".".join(map(str, device.compute_capability[:2]))
        lines.append(f"{_text(device.name)}, compute capability {capability}, {total / 2**30:.1f} GiB, {free / 2**30:.1f} GiB free{age}")
    return lines


def _version(library):
    return ".".join(map(str, library.get_version()))
