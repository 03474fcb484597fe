"""Who runs, and when: contenders take turns within each repeat, and slow ones sit later repeats out."""

from dataclasses import dataclass

LEAST_REPEATS, MOST_REPEATS = 3, 10
BUDGET_S = 400.0  # for all repeats together, when their number is not given: on two cores three with GATK, and four or so without
SLOW_SHARE = 0.075  # of the budget: who takes longer for a turn plays the least number only


@dataclass(frozen=True)
class Contender:
    """One way to call the data set.

    caller : str
        "gpuvc", "gpuvc, pileup", or a peer.
    threads : int
    device : str, "cpu" or "cuda"
    """

    caller: str
    threads: int = 1
    device: str = "cpu"

    @property
    def is_ours(self):
        return self.caller.startswith("gpuvc")

    @property
    def name(self):
        """As tables show it."""
        if not self.is_ours:
            return self.caller
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.caller}, {'GPU, ' if self.device == 'cuda' else ''}{threads}"


def contenders(threads, with_cuda, peers):
    """[Contender]: both engines on one core and on all, and on the GPU where there is one; then the peers."""
    ours = []
    for caller in ("gpuvc", "gpuvc, pileup"):
        ours += [Contender(caller, n) for n in dict.fromkeys((1, threads))]
        ours += [Contender(caller, threads, "cuda")] if with_cuda else []
    return [*ours, *(Contender(peer) for peer in peers)]


def players(turn_s, number, elapsed_s, repeats=None):
    """Names of those who play repeat `number`, which counts from 1.

    Parameters
    ----------
    turn_s : dict of str to float
        Mean seconds that a turn of each has taken so far.
    elapsed_s : float
        Since the first repeat began.
    repeats : int, optional
        So many for everybody; without it, the budget decides.
    """
    everybody = list(turn_s)
    if repeats is not None:
        return everybody if number <= repeats else []
    if number < LEAST_REPEATS:
        return everybody
    quick = [name for name in everybody if turn_s[name] <= SLOW_SHARE * BUDGET_S]
    if number == LEAST_REPEATS:
        # Two say little of their spread, but on a slow machine a third would cost more than it tells.
        return everybody if elapsed_s + sum(turn_s.values()) <= 1.5 * BUDGET_S else quick
    fits = elapsed_s + sum(turn_s[name] for name in quick) <= BUDGET_S
    return quick if fits and number <= MOST_REPEATS else []
