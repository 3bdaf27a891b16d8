"""From a fault in a handler to words on the page: the one place where that happens."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gradio as gr

from fmstudio.errors import StudioError, of_disk
from fmstudio.ui.fragments import join, tag, text

log = logging.getLogger(__name__)

Given = ParamSpec("Given")
Result = TypeVar("Result")


def shown(handler: Callable[Given, Result]) -> Callable[Given, Result]:
    """Show a StudioError as its message and hint, anything else as an apology; log the latter.

    The page then stays as it was: every output of the handler is skipped.
    """

    @functools.wraps(handler)
    def guarded(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return handler(*args, **kwargs)
        except StudioError as fault:
            tell(fault.message, fault.hint)
        except gr.Error:
            raise
        except Exception as fault:
            told = of_disk(fault)
            if told is not None:
                tell(told.message, told.hint)
                return gr.skip()  # type: ignore[return-value]
            log.exception("A page's handler failed.")
            tell(
                "Something went wrong inside the studio.",
                "Nothing was lost. The details are in the studio's log file; please try again.",
            )
        return gr.skip()  # type: ignore[return-value]

    return guarded


def tell(message: str, hint: str = "") -> None:
    """Put a message and what to do about it on the page, until the reader closes it."""
    content = join([tag("p", text(message), "fm-what"), tag("p", text(hint), "fm-hint")])
    gr.Warning(content, duration=None)  # the pages of Gradio 6 show no title of ours
