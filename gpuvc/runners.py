"""Run a function over shards in threads; results come back in order."""

import contextlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor


def in_order(shards, prepare, work, *, threads, prepare_in_turn):
    """Yield (shard, work(shard, prepare(shard))) in the order of `shards`, computed by so many threads.

    At most threads + 1 results are under way or waiting, whatever the number of shards. `prepare_in_turn`: prepare must see the shards one
    after the other (a pipe has no way back), so it runs in the calling thread. An exception in any of them ends the run and is raised here.
    """

    def whole(shard):
        return work(shard, prepare(shard))

    with ThreadPoolExecutor(threads, thread_name_prefix="gpuvc") as pool:
        pending = deque()
        try:
            for shard in shards:
                future = pool.submit(work, shard, prepare(shard)) if prepare_in_turn else pool.submit(whole, shard)
                pending.append((shard, future))
                if len(pending) > threads:
                    done, future = pending.popleft()
                    yield done, future.result()
            while pending:
                done, future = pending.popleft()
                yield done, future.result()
        finally:
            for _, future in pending:
                future.cancel()
            for _, future in pending:
                # The first failure is already on its way; what the others met meanwhile adds nothing.
                with contextlib.suppress(BaseException):
                    future.result()
