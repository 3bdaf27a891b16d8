"""`python -m fmstudio`: the command line, and the web app as its command `serve`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    # Before anything loads torch: threads that spin for each other are many times slower on a busy
    # machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
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
    """Open the studio in a browser until it is stopped. Raises StudioError."""
    # Before anything imports Gradio or a hub client: nothing is sent or looked up anywhere.
    os.environ.update(
        GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1"
    )
    from fmstudio.studio import Studio
    from fmstudio.studio.starting import check_address, first_start

    check_address(args.host, args.port)
    with Studio.open(args.home) as studio:
        from fmstudio.ui.shell import serve as open_pages

        sys.stderr.write(f"The studio opens at http://{args.host}:{args.port} (Ctrl-C ends it)\n")
        with suppress(KeyboardInterrupt):  # the usual way to end it
            open_pages(
                studio,
                args.host,
                args.port,
                not args.no_browser,
                when_open=lambda: first_start(studio),
            )


if __name__ == "__main__":
    sys.exit(main())
