"""What several tests need: the program in this process, and small files to run it on."""

from pathlib import Path
from types import SimpleNamespace

import hypothesis
import pytest

# A kernel's first call compiles it.
hypothesis.settings.register_profile("gpuvc", deadline=None)
hypothesis.settings.load_profile("gpuvc")

REPOSITORY = Path(__file__).parent.parent
DEMO = REPOSITORY / "reference" / "data"


@pytest.fixture(scope="session")
def demo_data():
    """The bundled sample: paths of its reference and reads, reads on chr20:4,912-105,096."""
    return SimpleNamespace(
        reference=str(DEMO / "chr20.fa"), bam=str(DEMO / "NA12878.chr20.100kb.bam"), cram=str(DEMO / "NA12878.chr20.100kb.cram")
    )


@pytest.fixture
def run_cli(capfd):
    """Run one command line in this process → code, out, err (what the file descriptors received, C libraries included)."""
    from gpuvc.cli import main

    def run(*arguments):
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    return run
