"""The kernels: arrays in, arrays out. A leaf of the import tree (NumPy, Numba, CuPy; nothing of gpuvc)."""
