"""Shards in threads: results in order, few at a time, the first failure ends the run."""

import threading
import time

import pytest

from gpuvc.runners import in_order

SHARDS = list(range(40))


def nothing(shard):
    return None


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("in_turn", [False, True])
class TestOrder:
    def test_results_come_in_the_order_of_the_shards(self, threads, in_turn):
        def work(shard, prepared):
            time.sleep(0.001 * (shard * 7 % 5))
            return prepared + 1

        found = list(in_order(SHARDS, lambda shard: 10 * shard, work, threads=threads, prepare_in_turn=in_turn))
        assert found == [(shard, 10 * shard + 1) for shard in SHARDS]

    def test_no_shards(self, threads, in_turn):
        assert list(in_order([], nothing, lambda *_: 1, threads=threads, prepare_in_turn=in_turn)) == []

    def test_no_more_wait_than_threads_and_one(self, threads, in_turn):
        """However slowly the results are taken."""
        begun, lock = [], threading.Lock()

        def work(shard, _):
            with lock:
                begun.append(shard)
            return shard

        results = in_order(SHARDS, nothing, work, threads=threads, prepare_in_turn=in_turn)
        for taken in range(1, 6):
            next(results)
            time.sleep(0.02)
            assert len(begun) <= taken + threads
        results.close()
        n = len(begun)
        time.sleep(0.02)
        assert len(begun) == n < len(SHARDS)

    @pytest.mark.parametrize("where", ["prepare", "work"])
    def test_a_failure_is_raised_in_its_place(self, threads, in_turn, where):
        def fail_at_5(shard, *_):
            if shard == 5:
                raise ValueError("shard 5")
            return shard

        prepare, work = (fail_at_5, lambda shard, _: shard) if where == "prepare" else (nothing, fail_at_5)
        done = []
        with pytest.raises(ValueError, match="shard 5"):
            for shard, _ in in_order(SHARDS, prepare, work, threads=threads, prepare_in_turn=in_turn):
                done.append(shard)
        # Prepared in turn, a shard fails when its turn comes to be prepared: those under way then are lost.
        assert done == list(range(len(done))) and len(done) == (max(0, 5 - threads) if where == "prepare" and in_turn else 5)

    def test_after_a_failure_the_rest_is_not_begun(self, threads, in_turn):
        begun = []

        def work(shard, _):
            begun.append(shard)
            if shard == 2:
                raise KeyError(shard)

        with pytest.raises(KeyError):
            list(in_order(SHARDS, nothing, work, threads=threads, prepare_in_turn=in_turn))
        n = len(begun)
        assert n <= 3 + threads
        time.sleep(0.02)
        assert len(begun) == n and not [t for t in threading.enumerate() if t.name.startswith("gpuvc")]


def test_in_turn_prepares_one_after_the_other_in_the_calling_thread():
    seen = []

    def prepare(shard):
        seen.append((shard, threading.get_ident()))

    list(in_order(SHARDS, prepare, lambda shard, _: time.sleep(0.001), threads=3, prepare_in_turn=True))
    assert seen == [(shard, threading.get_ident()) for shard in SHARDS]


def test_threads_work_at_the_same_time():
    both = threading.Barrier(2, timeout=10)  # breaks, and the run with it, unless two threads come to it

    def work(shard, _):
        both.wait()
        return shard

    assert [result for _, result in in_order(range(6), nothing, work, threads=2, prepare_in_turn=False)] == list(range(6))


def test_a_reader_that_stops_ends_the_threads():
    results = in_order(SHARDS, nothing, lambda shard, _: shard, threads=2, prepare_in_turn=False)
    assert next(results) == (0, 0)
    results.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("gpuvc")]
