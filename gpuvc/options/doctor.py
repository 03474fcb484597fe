"""`gpuvc doctor` has no options."""

from gpuvc.options.kinds import Command

DOCTOR = Command(
    "doctor",
    "gpuvc doctor",
    "what this machine offers, what will be used and why",
    "What this machine offers, what gpuvc will use, and why.",
    (),
)
