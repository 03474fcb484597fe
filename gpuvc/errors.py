"""What can go wrong, and the exit code each kind ends the command with.

    GpuvcError
      InputError      a file is missing or malformed          exit 1
      UsageError      the request is wrong                     exit 2
      DeviceError     no device, or too little memory on it    exit 3
      OutputError     the output cannot be written             exit 4

    out of memory on the host                                  exit 137
    interrupted (SIGINT, SIGTERM)                              exit 130, 143
    anything else: our fault, with a traceback                 exit 70

Every message follows one template:

    {what} in {where}: found {value}, expected {expectation}. {Next step, as a command if there is one.}
"""


class GpuvcError(Exception):
    """Base of the errors a user can mend; `exit_code` is what the command ends with."""

    exit_code = 70


class InputError(GpuvcError):
    """A file is missing, malformed, or does not fit the others."""

    exit_code = 1


class UsageError(GpuvcError):
    """The request itself is wrong: an unknown option, an impossible value, a contradiction."""

    exit_code = 2


class DeviceError(GpuvcError):
    """The requested device is absent or too small."""

    exit_code = 3


class OutputError(GpuvcError):
    """The output cannot be written where it was asked for."""

    exit_code = 4

    @classmethod
    def of_standard_output(cls, error):
        """For an OSError met in writing to it."""
        return cls(
            f"output -: found standard output cannot be written ({error.strerror or error}), expected room. Write to a file instead."
        )
