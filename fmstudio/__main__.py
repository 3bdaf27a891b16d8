"""`python -m fmstudio`: the command line, and the web app as its command `serve`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from fmstudio.private import write_privately


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    # Before anything loads torch: threads that spin for each other are many times slower on a busy
    # machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    write_privately()
    try:
        from fmstudio.cli import main as run_command
    except ModuleNotFoundError as fault:  # before anything of ours can say so
        sys.stderr.write(
            f"error: The package '{fault.name}' is not installed.\n"
            "hint: Install what the studio needs: python -m pip install -r requirements.txt\n"
        )
        return 2
    return run_command(argv, serve=serve)


def serve(args: argparse.Namespace) -> None:
    """Open the studio in a browser until it is stopped, or the one that is open already.

    Raises StudioError.
    """
    # Before anything imports Gradio or a hub client: nothing is sent or looked up anywhere.
    os.environ.update(
        GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1"
    )
    from fmstudio.settings import load_settings
    from fmstudio.studio.starting import check_address, first_start, is_loopback
    from fmstudio.ui.only_one import OnlyOne
    from fmstudio.ui.password import asked_password, given_password

    settings = load_settings(args.home)
    password = given_password(args.password_file)
    alone = OnlyOne(settings)
    other = alone.take()
    if other is not None:
        other.say(args.json)
        if not args.no_browser:
            other.open()
        return
    with alone:
        if password is None and not is_loopback(args.host):
            password = asked_password()
        check_address(args.host, args.port, password is not None)
        address = alone.tell(args.host, args.port, args.https, args.host_name)
        from fmstudio.studio import Studio

        with Studio.open(args.home) as studio:
            from fmstudio.ui.shell import serve as open_pages

            sys.stderr.write(f"The studio opens at {address} (Ctrl-C ends it)\n")
            if not is_loopback(args.host) and not args.https:
                sys.stderr.write(
                    "note: Nothing is encrypted on the way. Put a proxy that speaks TLS in front "
                    "and give --https; see docs/security.md.\n"
                )
            # Ended by the system or by Ctrl-C, the usual ways: uploads are removed both times.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            with suppress(KeyboardInterrupt):
                open_pages(
                    studio,
                    args.host,
                    args.port,
                    not args.no_browser,
                    when_open=lambda: first_start(studio),
                    password=password,
                    names=args.host_name,
                    https=args.https,
                    address=address,
                )


if __name__ == "__main__":
    sys.exit(main())
