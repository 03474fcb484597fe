"""The benchmark of the kernels keeps real arguments, and counts what is in them."""

from benchmarks import bench_kernels, datasets
from gpuvc.backends.cpu import CpuBackend


def test_keeps_the_largest_call_of_every_operation(tmp_path):
    kept = bench_kernels.arguments_of(datasets.load("na12878-50x", tmp_path, tmp_path), ["chr20:30001-31000", "chr20:80001-80010"])
    n = {operation: bench_kernels.n_items(operation, arguments) for operation, arguments in kept.items()}
    assert set(n) == set(bench_kernels.OPERATIONS)
    # 1 kb and its surroundings at 50x; a plain SNV with two genotypes beside the reference's has three times its reads.
    assert 50_000 < n["pile_up"] < 300_000
    assert n["genotype_likelihoods"] >= 3 * n["observe"] > 3 * len(kept["score_segments"][0]) > 0
    for operation, arguments in kept.items():
        assert bench_kernels.seconds_of(lambda: getattr(CpuBackend, operation)(*arguments), 1, iter((0.0, 0.5)).__next__) == 0.5  # noqa: B023
