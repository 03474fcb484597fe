"""Filters shipped with gpuvc, on by default as FILTER values; a record is never dropped for one."""

FILTERS = {
    "LowQual": "Low quality",
}


def filters_of(info, qual, is_indel):
    """Names of the filters that a record fails."""
    return ()
