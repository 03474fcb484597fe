"""From the costs of every turn to speeds, ratios with their spread, and seconds a stage."""

from statistics import fmean

from gpuvc.bench.spread import estimates, paired_ratios

WAYS = ("apart", "whole")  # start-up taken off; the whole command, as a stopwatch sees it
SECONDS = ("cpu_s", "wall_s")


def figures(field, turns, mb):
    """{"speeds", "ratios"}: rows of plain values.

    Parameters
    ----------
    field : list of Contender
    turns : dict
        By name, as `gpuvc.bench.run` collects them.
    mb : float
        Megabases called.
    """
    speeds = [_costs(one, turns[one.name]) for one in field]
    ratios = [{"name": one.name, "to": other.name} for one, other in pairs(field)]
    for seconds in SECONDS:
        for way in WAYS:
            by_repeat = {one.name: series(turns[one.name], way, seconds) for one in field}
            some = [[mb / s if s > 0 else 0.0 for s in by_repeat[one.name].values()] for one in field]
            _put(speeds, f"mb_per_{seconds}_{way}", some)
            _put(ratios, f"{seconds}_{way}", [paired_ratios(by_repeat[row["to"]], by_repeat[row["name"]]) for row in ratios])
    return {"speeds": speeds, "ratios": ratios}


def _put(rows, name, values):
    for row, estimate in zip(rows, estimates(values), strict=True):
        row[name] = estimate and estimate._asdict()


def pairs(field):
    """[(Contender, Contender)]: whose speed is compared with whose."""
    engines = {one.caller: [other for other in field if other.caller == one.caller] for one in field if one.is_ours}
    peers = [one for one in field if not one.is_ours]
    found = []
    for ours in engines.values():
        on_cpu = [one for one in ours if one.device == "cpu"]
        found += [(one, on_cpu[0]) for one in on_cpu[1:]]
        found += [(gpu, cpu) for gpu in ours if gpu.device == "cuda" for cpu in on_cpu]
        found += [(one, peer) for one in ours for peer in peers]
    return found


def series(turns, way, seconds):
    """{repeat: seconds} of one contender."""
    return {
        turn["repeat"]: turn["whole"][seconds] - (turn["startup"][seconds] if way == "apart" else 0.0) for turn in turns
    }  # fmt: skip


def _costs(one, turns):
    row = {"name": one.name, "caller": one.caller, "threads": one.threads, "device": one.device, "repeats": len(turns)}
    for seconds in SECONDS:
        row[seconds] = round(fmean(turn["whole"][seconds] for turn in turns), 3)
        row[f"startup_{seconds}"] = round(fmean(turn["startup"][seconds] for turn in turns), 3)
    row["peak_mb"] = round(max(turn["whole"]["peak_bytes"] for turn in turns) / 1e6)
    return row
