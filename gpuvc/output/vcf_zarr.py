"""VCF Zarr (https://github.com/sgkit-dev/vcf-zarr-spec) of what was called, for sgkit; written by bio2zarr."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gpuvc.errors import InputError, OutputError, UsageError
from gpuvc.optional import optional

if TYPE_CHECKING:
    import zarr


def vcf_to_zarr(vcf: str | os.PathLike[str], output: str | os.PathLike[str], *, overwrite: bool = False) -> zarr.Group:
    """Convert a VCF or BCF to VCF Zarr, in this process; `sgkit.load_dataset(output)` opens it.

    Parameters
    ----------
    vcf : str
        .vcf.gz or .bcf with its index, as `gpuvc call` writes them.
    output : str
        The Zarr store: a folder, which appears when it is whole.
    overwrite : bool
        Whether a store that stands there may be replaced.

    Returns
    -------
    zarr.Group
        The store, opened for reading: variant_position (1-based), variant_allele, variant_filter, variant_KEY of each INFO key;
        call_genotype int8[variants, samples, ploidy], call_genotype_phased, call_KEY of each FORMAT key.

    Raises
    ------
    UsageError
        No bio2zarr; a store stands there.
    InputError
        The VCF is missing, without index, or unreadable.
    OutputError
        The place cannot be written.
    """
    optional("cyvcf2", "VCF Zarr", "zarr")  # by which bio2zarr reads VCF
    convert = optional("bio2zarr.vcf", "VCF Zarr", "zarr").convert
    vcf, target = os.fspath(vcf), Path(output)
    if not Path(vcf).is_file():
        raise InputError(f"variants in {vcf}: found no such file, expected a VCF or BCF file.")
    if not any(Path(f"{vcf}.{kind}").is_file() for kind in ("tbi", "csi")):
        raise InputError(f"variants in {vcf}: found no index, expected one beside the file. Create it: bcftools index {vcf}")
    if target.exists() and not (overwrite and (target / ".zgroup").is_file() | (target / "zarr.json").is_file()):
        expected = "another place" if overwrite else "another place, or overwrite=True"
        raise UsageError(f"output {target}: found something of that name, expected {expected}.")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            whole = Path(folder) / "whole"
            try:
                convert([vcf], whole)
            except (ValueError, RuntimeError) as error:
                raise InputError(f"variants in {vcf}: found it unreadable ({' '.join(str(error).split())}), expected VCF.") from error
            if target.exists():
                shutil.rmtree(target)
            whole.rename(target)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"output {target}: found it cannot be written ({reason}), expected a writable folder with room.") from error
    return optional("zarr", "VCF Zarr", "zarr").open_group(str(target), mode="r")
