"""A process beside gpuvc that turns CRAM and remote files into BAM by htslib (pysam); it never imports gpuvc.

One line of JSON on standard input asks for one `samtools view` (its arguments). The answer is a BAM on standard output, ended by its
end-of-file block, and then "ok" on the descriptor given as first argument. On an error the process ends, its message on standard error.
"""

import json
import os
import sys

import pysam


def main():
    """Answer requests until standard input ends."""
    status = int(sys.argv[1])
    for line in sys.stdin:
        try:
            pysam.view(*json.loads(line), catch_stdout=False)
        except pysam.SamtoolsError as error:
            message = str(error)
            sys.exit(message.partition("stderr=")[2].strip() or message)
        os.write(status, b"ok\n")


if __name__ == "__main__":
    main()
