"""Feed gpuvc damaged files and command lines: every input must end in the right answer or in one clear error.

python -m tests.fuzz --inputs 20000 --jobs 2
python -m tests.fuzz --format bam --start 1234 --inputs 1 --keep FOLDER     one input again, its files kept
"""

import argparse
import sys
from collections import Counter

from tests.fuzz.formats import FORMATS
from tests.fuzz.harness import LIMIT_S, fuzz, table


def run(arguments):
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=2000, help="in all, shared among the formats")
    parser.add_argument("--format", action="append", choices=list(FORMATS), help="only this one; may be given several times")
    parser.add_argument("--start", type=int, default=0, help="number of the first input of each format")
    parser.add_argument("--jobs", type=int, default=1, help="formats that run at the same time")
    parser.add_argument("--limit-s", type=float, default=LIMIT_S, help="seconds after which an input counts as hanging")
    parser.add_argument("--keep", help="work in this folder; the files of the last input of each format stay there")
    parser.add_argument("--kinds", action="store_true", help="print the right answers and the errors by kind")
    options = parser.parse_args(arguments)
    names = options.format or list(FORMATS)
    whole = sum(FORMATS[name].share for name in names)
    shares = {name: options.inputs * FORMATS[name].share // whole for name in names}
    shares[names[0]] += options.inputs - sum(shares.values())
    tallies = fuzz(shares, options.start, options.jobs, options.limit_s, options.keep, lambda text: print(text, flush=True))
    if options.kinds:
        for tally in tallies:
            for outcome, n in tally.outcomes.most_common():
                print(f"{tally.name}: {n:6} {outcome}")
                for (of, message), n_of in Counter(tally.messages).most_common():
                    if of == outcome:
                        print(f"{tally.name}:        {n_of:6} {message}")
    print("\n".join(table(tallies)))
    failures = [(tally.name, *failure) for tally in tallies for failure in tally.failures]
    for name, number, what in failures[:50]:
        again = f" (python -m tests.fuzz --format {name} --start {number} --inputs 1 --keep FOLDER)" if number is not None else ""
        print(f"\n{name} {number}: {what}{again}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
