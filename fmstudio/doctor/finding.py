"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be: what, and what to do about it.

    `about` names the check; `lost` is True where something that was kept is damaged or gone.
    """

    about: str
    what: str
    do: str
    lost: bool = False
