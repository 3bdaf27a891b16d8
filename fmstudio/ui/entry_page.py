"""The page on which one signs in: complete in itself, so that nothing else is open before it."""

from __future__ import annotations

from pathlib import Path

from fmstudio.ui.fragments import NOTHING, Html, join, notice, tag, text

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "ui"
TITLE = "Foundation Model Studio"


def entry_page(target: str, problem: str = "", hint: str = "", encrypted: bool = True) -> bytes:
    """The form, which leads to `target`; with a problem, why the last try was not taken."""
    told = notice(problem, hint, "stop") if problem else NOTHING
    logo = Html((ASSETS / "logo.svg").read_text(encoding="utf-8"))
    form = tag(
        "form",
        join(
            [
                Html(f'<input type="hidden" name="next" value="{text(target)}">'),
                Html('<label for="password">Password</label>'),
                Html(
                    '<input id="password" name="password" type="password" required autofocus '
                    'autocomplete="current-password" maxlength="1024"'
                    f"{' aria-invalid=true aria-describedby=problem' if problem else ''}>"
                ),
                tag("button", text("Sign in"), type="submit"),
            ]
        ),
        method="post",
        action="/login",
    )
    open_line = tag(
        "p",
        text(
            "This connection is not encrypted: others on the network can read what is sent over it."
        ),
        "unsafe",
    )
    body = tag(
        "main",
        join(
            [
                tag("div", join([logo, tag("h1", text(TITLE))]), "brand"),
                tag("div", told, id="problem") if problem else NOTHING,
                form,
                NOTHING if encrypted else open_line,
                tag("p", text("For research and teaching. Not a medical device."), "foot"),
            ]
        ),
    )
    style = (ASSETS / "entry.css").read_text(encoding="utf-8")
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f"<title>Sign in · {TITLE}</title><style>{style}</style></head><body>{body}</body></html>"
    )
    return page.encode()
