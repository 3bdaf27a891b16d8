"""What can go wrong for a user, as a small tree of named errors.

StudioError                 what happened (with the value found), and a hint: what to do
├── InputError              a request, a file or a value that is not as expected (exit status 2)
│   ├── UnreadableFile      a file that cannot be read as what it should be
│   │   └── ConstantSignal  a file that can be read and holds nothing: silence
│   └── NotFound            a project, cohort, run, adapter or file that is not there
├── BundleError             an adapter bundle that does not fit or was changed (exit status 2)
├── RegistryError           a database that is locked, damaged or too new (exit status 2)
├── ResourceError           not enough disk, memory or a port in use (exit status 2)
└── RunFailed               a run that ended without a result

Raise them where the fault is known; command line and pages show `message` and `hint`.
"""

from __future__ import annotations


class StudioError(Exception):
    """A fault that a person can act on.

    `message` says what happened and names the file, column or value; `hint` says what to do.
    Neither holds an absolute path or a patient's text.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[StudioError], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class InputError(StudioError):
    """A request, file or value that is not as expected."""


class UnreadableFile(InputError):
    """A file that cannot be read as what it should be."""


class ConstantSignal(UnreadableFile):
    """A file that can be read and holds nothing, such as silence."""


class NotFound(InputError):
    """Something named that is not there."""


class BundleError(StudioError):
    """An adapter bundle that is incomplete, changed, or made for another base."""


class RegistryError(StudioError):
    """The registry is locked, damaged, or from a newer version of the studio."""


class ResourceError(StudioError):
    """Not enough disk or memory, or a port that is in use."""


class RunFailed(StudioError):
    """A run that ended without a result."""
