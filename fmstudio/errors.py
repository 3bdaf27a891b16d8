"""What can go wrong for a user, as a small tree of named errors.

StudioError                 what happened (with the value found), and a hint: what to do
├── InputError              a request, a file or a value that is not as expected (exit status 2)
│   ├── UnreadableFile      a file that cannot be read as what it should be
│   │   └── ConstantSignal  a file that can be read and holds nothing: silence
│   └── NotFound            a project, cohort, run, adapter or file that is not there
├── BundleError             an adapter bundle that does not fit or was changed (exit status 2)
├── RegistryError           a database that is locked, damaged or too new (exit status 2)
│   └── ReadOnlyRegistry    a database that can be read and not written
├── ResourceError           not enough disk, memory or a port in use (exit status 2)
└── RunFailed               a run that ended without a result

Raise them where the fault is known; command line and pages show `message` and `hint`.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import PurePath

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk, quota of the user, limit of a process
NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)


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

    def __init__(self, message: str, hint: str = "Ask its maker to export it again.") -> None:
        super().__init__(message, hint)


class RegistryError(StudioError):
    """The registry is locked, damaged, or from a newer version of the studio."""


class ReadOnlyRegistry(RegistryError):
    """The registry can be read but not written: a folder or drive that is write-protected."""


class ResourceError(StudioError):
    """Not enough disk or memory, or a port that is in use."""


class RunFailed(StudioError):
    """A run that ended without a result."""


def of_disk(fault: BaseException) -> StudioError | None:
    """What a fault of the disk is for a person: full, write-protected, failing. None for others."""
    if isinstance(fault, shutil.Error):
        fault = _first_of(fault)
    number = getattr(fault, "errno", None)
    if number in NO_ROOM or "no space left on device" in str(fault).lower():
        return ResourceError(
            "The disk is full.",
            hint="Free some space and try again. What was kept before is whole.",
        )
    if not isinstance(fault, OSError) or number not in (*NO_RIGHT, errno.EIO):
        return None
    name = PurePath(str(fault.filename)).name if fault.filename else "a file"
    if number == errno.EIO:
        return ResourceError(
            f"The disk reports an error at {name}.", hint="Check the drive, then try again."
        )
    return ResourceError(
        f"{name} cannot be read or written: {fault.strerror}.",
        hint="Check that you may read and write it, and the folder that it is in.",
    )


def _first_of(fault: shutil.Error) -> OSError:
    """The first fault of those met while a folder was copied, of which only the text is kept."""
    _, target, why = fault.args[0][0]
    number = re.search(r"\[Errno (\d+)\]", str(why))
    code = int(number[1]) if number else errno.EIO
    return OSError(code, os.strerror(code), str(target))
