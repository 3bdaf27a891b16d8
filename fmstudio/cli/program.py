"""One command from its words to its exit status; the only place that shows faults."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from logging.handlers import RotatingFileHandler
from pathlib import Path

from fmstudio import contracts
from fmstudio.cli import keeping
from fmstudio.cli.parser import build_parser
from fmstudio.cli.plain import as_json
from fmstudio.errors import StudioError, of_disk
from fmstudio.settings import load_settings
from fmstudio.studio import Studio
from fmstudio.traces import WithoutWords

log = logging.getLogger(__name__)

HANDLER = "fmstudio"  # the name of our own handlers, to tell them from those of others
LOG_BYTES = 5_000_000
OF_MODALITIES = (("predict",), ("cohort", "add"), ("cohort", "answer"))  # by their options
INTERRUPTED = 130  # what shells report for Ctrl-C

Serve = Callable[[argparse.Namespace], None]


def main(argv: Sequence[str] | None = None, serve: Serve | None = None) -> int:
    """Run one command; its exit status.

    `serve` opens the web app for the command of that name, which lies above this package.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    log_file: Path | None = None
    _log_to([logging.StreamHandler(sys.stderr)] if debug else [])
    try:
        # Few commands need to know the modalities, and importing them takes a second.
        needed = any(set(command) <= set(words) for command in OF_MODALITIES)
        modalities = tuple(contracts.pipelines().values()) if needed else ()
        args = build_parser(modalities, with_serve=serve is not None).parse_args(words)
        log_file = _log_into(args.home)
        return _run(args, serve)
    except StudioError as fault:
        _say(f"error: {fault.message}", f"hint: {fault.hint or 'See --help.'}")
        return _status(2, debug)
    except ModuleNotFoundError as fault:
        _say(
            f"error: The package '{fault.name}' is not installed.",
            "hint: Install what the studio needs: python -m pip install -r requirements.txt",
        )
        return _status(2, debug)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as fault:
        told = of_disk(fault)
        if told is not None:
            _say(f"error: {told.message}", f"hint: {told.hint}")
            return _status(2, debug)
        log.exception("fault in the command line")
        where = f"The details are in {log_file.name}" if log_file else "Add --debug for the details"
        _say(f"Sorry, that is a fault of the studio, not yours. {where}.")
        return _status(1, debug)


def _run(args: argparse.Namespace, serve: Serve | None) -> int:
    if args.run == "serve":
        assert serve is not None
        serve(args)
        return 0
    status = 0
    # Libraries may print; standard output carries the answer alone.
    with redirect_stdout(sys.stderr):
        if args.run in keeping.ALONE:
            data, text, fault = args.run(load_settings(args.home), args)
            if fault is not None:
                _say(f"error: {fault.message}", f"hint: {fault.hint}")
                status = 2
        else:
            with Studio.open(args.home) as studio:
                if studio.notice is not None:
                    _say(f"notice: {studio.notice}")
                data, text = args.run(studio, args)
    sys.stdout.write((as_json(data) if args.json else text) + "\n")
    sys.stdout.flush()
    return status


def _say(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(" ".join(line.split()) + "\n")


def _status(status: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    return status


def _log_into(home: str | None) -> Path | None:
    """Log into home/logs/studio.log too; None where that cannot be."""
    try:
        path = load_settings(home).folder("logs") / "studio.log"
    except StudioError:  # opening the studio says what is wrong with the home folder
        return None
    kept = [handler for handler in logging.getLogger().handlers if handler.name == HANDLER]
    _log_to([*kept, LogFile(path, maxBytes=LOG_BYTES, backupCount=3, delay=True)])
    return path


class LogFile(RotatingFileHandler):
    """A log file that is not written, instead of in everybody's way, while the disk is full."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing where the disk is at fault; the command says it."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _log_to(handlers: Sequence[logging.Handler]) -> None:
    """Send the log and the warnings of libraries to these handlers, and nowhere else."""
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if handler.name == HANDLER]:
        root.removeHandler(old)
        if old not in handlers:
            old.close()
    form = WithoutWords("%(asctime)s %(levelname)s %(name)s: %(message)s")
    for handler in (*handlers, logging.NullHandler()):
        handler.name = HANDLER
        handler.setFormatter(form)
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells every step of a migration
    logging.captureWarnings(True)
