"""What happens once when the web app starts: its address is checked, the sample is set up."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading

from fmstudio.errors import InputError, ResourceError, StudioError
from fmstudio.studio.studio import Studio

log = logging.getLogger(__name__)


def check_address(host: str, port: int, behind_password: bool = False) -> None:
    """Whether the studio may and can listen there.

    Raises InputError for an address beyond this machine without a password, ResourceError for a
    port in use.
    """
    if not behind_password and not is_loopback(host):
        raise InputError(
            f"The host {host} would open the studio to other machines, "
            "which have no log-in here without a password.",
            hint="Give one with --password-file FILE or FMSTUDIO_PASSWORD, or use 127.0.0.1 and "
            "reach it from elsewhere through an SSH tunnel.",
        )
    if not 1 <= port <= 65535:
        raise InputError(f"The port is {port}.", hint="Give a number from 1 to 65535.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        # As servers do: a port that was closed a moment ago is free.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as fault:
            raise ResourceError(
                f"The port {port} is in use or not allowed ({fault.strerror}).",
                hint=f"Stop the program that uses it, or give another with --port {port + 1}.",
            ) from fault


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def first_start(studio: Studio) -> threading.Thread:
    """Set up the sample where there is none, then load the newest model, beside the pages."""
    thread = threading.Thread(target=_set_up, args=(studio,), name="first-start", daemon=True)
    thread.start()
    return thread


def _set_up(studio: Studio) -> None:
    for name, step in (
        ("setting up the sample", _sample),
        ("loading the newest model", Studio.warm_up),
        ("clearing up", Studio.clean_up),
        ("shutting the home to others", Studio.tighten),
    ):
        try:
            step(studio)
        except StudioError as fault:
            log.error("%s: %s %s", name, fault.message, fault.hint)
        except Exception:
            log.exception("fault while %s", name)


def _sample(studio: Studio) -> None:
    """A sample that somebody deleted stays deleted; one that was left half made is finished."""
    if not studio.projects.count() or studio.projects.count(sample=True):
        studio.demo()
