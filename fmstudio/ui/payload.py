"""What a page asks a handler, checked before the handler or Gradio sees it.

One rule for paths: whatever looks like a file, anywhere in a question, must be a file that this
session has uploaded or was handed, under exactly the name it was given. It is then written anew
from what the server knows, so that neither a link (`url`) nor any other claim about it gets in.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

import gradio as gr

from fmstudio.ui.asgi import Refused
from fmstudio.ui.sessions import Session

FILE_TYPE = "gradio.FileData"
DEEPEST = 32  # levels of lists and objects; the pages send six
PAGE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Events by which a person acts; others follow from those, or from a clock.
UNASKED = frozenset({"tick", "change", "load", "then", "success", "failure", "unload"})
FOREIGN = "This file was not uploaded in this browser since the studio was started. Give it again."


def page_name(value: Any) -> str:
    """The name that a page has chosen for itself (Gradio's session hash). Raises Refused."""
    if not isinstance(value, str) or not PAGE_NAME.fullmatch(value):
        raise Refused(400, "The request does not say which page it comes from.")
    return value


def question(body: bytes, session: Session, pages: gr.Blocks) -> tuple[dict[str, Any], bool]:
    """The question to a handler, of what it may hold and nothing else; and whether a person asks.

    Raises Refused: 400 for what no page sends, 403 for a file that is not this session's, 404 for a
    handler that does not exist.
    """
    asked = _parsed(body)
    name = page_name(asked.get("session_hash"))
    number = asked.get("fn_index")
    if not _whole(number) or number not in pages.fns:
        raise Refused(404, "There is no such handler.")
    handler = pages.fns[number]
    if handler.fn is None:
        raise Refused(404, "There is no such handler: the page does this by itself.")
    data = asked.get("data")
    if not isinstance(data, list) or len(data) != len(handler.inputs):
        raise Refused(400, f"The handler takes {len(handler.inputs)} values.")
    trigger = asked.get("trigger_id")
    if trigger is not None and not (_whole(trigger) and trigger in {pages._id, *pages.blocks}):
        raise Refused(400, "There is nothing on the page with this number.")
    checked = {
        "session_hash": name,
        "fn_index": number,
        "trigger_id": trigger,
        "data": _checked(data, session),
        "event_data": _checked(asked.get("event_data"), session),
    }
    events = {event for _, event in handler.targets}
    return checked, not events <= UNASKED


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refused(400, "The request is no JSON document.") from None
    if not isinstance(asked, dict):
        raise Refused(400, "The request is no JSON object.")
    return asked


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number in JSON")


def _checked(value: Any, session: Session, depth: int = 0) -> Any:
    """The value with every file in it replaced by what is known of it. Raises Refused."""
    if depth > DEEPEST:
        raise Refused(400, f"The request is nested more than {DEEPEST} levels deep.")
    if isinstance(value, list):
        return [_checked(item, session, depth + 1) for item in value]
    if isinstance(value, dict):
        if "path" in value or _claims_to_be_a_file(value):
            return _known_file(value, session)
        return {key: _checked(item, session, depth + 1) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused(400, "The request holds a number beyond what a computer can hold.")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused(400, "The request holds half a character.") from None
    return value


def _claims_to_be_a_file(value: dict[str, Any]) -> bool:
    meta = value.get("meta")
    return isinstance(meta, dict) and meta.get("_type") == FILE_TYPE


def _known_file(value: dict[str, Any], session: Session) -> dict[str, Any]:
    path = session.owns(value.get("path"))
    if path is None or path.is_symlink() or not path.is_file():
        raise Refused(403, FOREIGN)
    return {
        "path": str(path),
        "url": None,
        "size": path.stat().st_size,
        "orig_name": path.name,
        "mime_type": None,
        "is_stream": False,
        "meta": {"_type": FILE_TYPE},
    }


def files_in(value: Any) -> list[str]:
    """The paths of all files that an answer hands out."""
    found, waiting = [], [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            if _claims_to_be_a_file(item) and isinstance(item.get("path"), str):
                found.append(item["path"])
            waiting += item.values()
    return found
