"""A pipeline's Preview as a fragment: pictures, window presets, player, table, text, remarks.

Everything travels inside the fragment (RFC 2397), so that no patient's picture or sound is left
behind as a file that the server could hand out.
"""

from __future__ import annotations

import base64
import io
import uuid
from collections.abc import Iterable, Mapping

import numpy as np
from PIL import Image

from fmstudio.errors import StudioError
from fmstudio.types import Preview
from fmstudio.ui.fragments import NOTHING, Html, bullets, join, notice, table, tag, text

MANY = 6  # more pictures than these are shown as a strip of small ones
_LONGEST_TEXT = 20_000
_MOST_ROWS = 200
_LOSSLESS_BELOW = 400  # pixels a side: small pictures stay exact, large ones stay quick


def preview(shown: Preview) -> Html:
    """The whole preview, in the order in which a person looks: picture, player, table, text."""
    parts: list[Html] = []
    if shown.windows:
        parts.append(_windows(shown.windows))
        parts.append(strip(shown.images[1:]))
    elif shown.media_type.startswith("video"):
        parts += [_player(shown), strip(shown.images)]
    else:
        parts += [strip(shown.images), _player(shown)]
    if shown.table:
        parts.append(_table(shown.table))
    if shown.text:
        cut = shown.text[:_LONGEST_TEXT]
        more = "\n…" if len(shown.text) > _LONGEST_TEXT else ""
        parts.append(tag("div", text(cut + more), "fm-text", dir="auto", tabindex=0))
    parts.append(bullets(shown.remarks))
    return tag("div", join(parts), "fm-preview")


def refusal(fault: StudioError) -> Html:
    """In place of a preview: why the file cannot be shown, and what to do."""
    return notice(fault.message, fault.hint, "stop")


def strip(images: Iterable[tuple[np.ndarray, str]]) -> Html:
    """Pictures with their captions, side by side where there are several."""
    figures = [_figure(picture, caption) for picture, caption in images]
    if not figures:
        return NOTHING
    crowd = "fm-one" if len(figures) == 1 else "fm-many" if len(figures) > MANY else ""
    return tag("div", join(figures), f"fm-strip {crowd}".strip())


def _windows(windows: Mapping[str, np.ndarray]) -> Html:
    """One film in several window presets, of which the reader chooses one."""
    group = f"window-{uuid.uuid4().hex}"
    labels = [
        tag(
            "label",
            join(
                [
                    Html(
                        tag(
                            "input",
                            NOTHING,
                            type="radio",
                            name=group,
                            value=place,
                            checked=place == 0,
                        ).removesuffix("</input>")
                    ),
                    text(name),
                ]
            ),
        )
        for place, name in enumerate(windows)
    ]
    figures = [
        tag("div", _figure(picture, ""), hidden=place > 0, data_window=place)
        for place, picture in enumerate(windows.values())
    ]
    legend = tag("legend", text("Window"), "sr-only")
    return tag("fieldset", join([legend, *labels, *figures]), "fm-windows")


def _figure(picture: np.ndarray, caption: str) -> Html:
    """A picture that a click or Enter enlarges."""
    image = Html(f'<img src="{picture_address(picture)}" alt="{text(caption or "Preview")}">')
    button = tag(
        "button",
        image,
        "fm-picture",
        type="button",
        aria_expanded="false",
        title=caption or "Enlarge",
        aria_label=f"Enlarge {caption}".strip(),
    )
    below = tag("figcaption", text(caption)) if caption else NOTHING
    return tag("figure", join([button, below]))


def picture_address(picture: np.ndarray) -> str:
    """(H, W) or (H, W, 3) uint8 as a data address: PNG if small, else WebP."""
    out = io.BytesIO()
    if max(picture.shape[:2]) < _LOSSLESS_BELOW:
        Image.fromarray(picture).save(out, "PNG")
        return data_address(out.getvalue(), "image/png")
    Image.fromarray(picture).save(out, "WEBP", quality=92, method=2)
    return data_address(out.getvalue(), "image/webp")


def data_address(content: bytes, media_type: str) -> str:
    """Bytes as a data address."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _player(shown: Preview) -> Html:
    """A player of the browser for a clip or a sound; nothing where there is none."""
    if not shown.media:
        return NOTHING
    video = shown.media_type.startswith("video")
    return tag(
        "video" if video else "audio",
        NOTHING,
        src=data_address(shown.media, shown.media_type),
        aria_label="Clip" if video else "Sound",
        controls=True,
        loop=video,
        muted=video,
        autoplay=video,
        playsinline=video,
    )


def _table(rows: tuple[tuple[str, ...], ...]) -> Html:
    """Header and rows, the first `_MOST_ROWS` of them."""
    header, body = rows[0], rows[1:]
    lines = [[text(cell) for cell in row] for row in body[:_MOST_ROWS]]
    parts = [table([name.lstrip("#") for name in header], lines, write=text)]
    if len(body) > _MOST_ROWS:
        note = f"The first {_MOST_ROWS} of {len(body):,} rows."
        parts.append(tag("p", text(note), "fm-note"))
    return join(parts)
