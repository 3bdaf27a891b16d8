"""The whole examination: settings in, JSON out.

Nothing is changed or made, so that it can be asked when something is broken.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fmstudio.doctor import installation
from fmstudio.doctor.installation import INSTALL, Missing
from fmstudio.errors import StudioError
from fmstudio.settings import Settings


def examine(settings: Settings) -> dict[str, Any]:
    """Versions, decoders, device, disk, database and bases; `missing` says what to do.

    `findings` are what is not as it should be in the home folder, each with what to do.
    """
    missing: Missing = []
    database, findings = home_state(settings, missing)
    return {
        "versions": installation.versions(missing),
        "modalities": installation.modalities(missing),
        "decoders": installation.decoders(missing),
        "device": installation.device(missing),
        "disk": installation.disk(settings, missing),
        "database": database,
        "bases": installation.bases(settings, missing),
        "missing": missing,
        "findings": findings,
    }


def home_state(settings: Settings, missing: Missing) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What state the registry is in, and what is found in the home beside it.

    `sound` is False where something must be done about the registry.
    """
    try:
        from fmstudio.doctor.home import look
        from fmstudio.registry import Registry
        from fmstudio.registry.faults import FILE
        from fmstudio.registry.opening import holds_work

        if not (settings.home / FILE).exists() and not holds_work(settings.home):
            return {"state": "not made yet", "sound": True}, []
        with Registry.open(settings) as registry:
            whole, broken = registry.verify_chain()
            findings = look(settings, registry)
            rows = registry.counts()
    except StudioError as fault:
        return _unsound(fault.message, fault.hint, missing), []
    except ImportError:
        state = "not looked at: a package is missing"
        return {"state": state, "sound": False, "get": INSTALL}, []
    found = [asdict(finding) for finding in findings]
    damaged = [finding for finding in findings if finding.about == "registry"]
    answer: dict[str, Any] = {"state": "in order", "sound": True}
    if not whole:
        answer = _unsound(
            f"The registry's event log is not whole: line {broken} was changed by hand.",
            "Restore the registry from its backup in the home folder.",
            missing,
        )
    elif damaged:
        answer = _unsound(damaged[0].what, damaged[0].do, missing)
    return answer | rows, found


def _unsound(state: str, get: str, missing: Missing) -> dict[str, Any]:
    missing.append({"what": state, "get": get})
    return {"state": state, "sound": False, "get": get}
