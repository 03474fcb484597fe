"""`gpuvc bench`: make a data set whose truth is known, run gpuvc and its peers on it in turns, and say how they compare.

haplotypes → simulate (profile, placed) → bam → data      the data set
measure, peers, spread → run → show                       whole commands on it
ceilings, kernels → show                                  each kernel alone
"""
