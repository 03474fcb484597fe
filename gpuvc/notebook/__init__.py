"""gpuvc for people in a notebook: a sample opened once, regions of it, and every stage's results as tables.

    with gpuvc.open("sample.bam", "ref.fa") as sample:
        region = sample["chr20:10,000-11,000"]
        region.reads, region.pileup, region.activity, region.haplotypes, region.likelihoods, region.calls
        calls = sample.call()
"""
