"""Blocks as HTML: parts of a page, or one file with its figures inside that fetches nothing.

Jinja escapes whatever is not `Markup` already.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from fmstudio.present.blocks import Block, Figure

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #161c23; max-width: 960px; margin: 40px auto;
  padding: 0 24px; }
h1 { font-size: 27px; } h2 { font-size: 21px; margin-top: 40px; } h3 { font-size: 17px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; margin: 12px 0 20px; }
caption { text-align: left; color: #4b5663; padding: 4px 0; }
th, td { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid #dfe4e9;
  vertical-align: top; }
figure { margin: 18px 0; max-width: 620px; } figure svg { width: 100%; height: auto; }
figcaption { color: #4b5663; font-size: 13.5px; }
.fm-badge { border: 1px solid #dfe4e9; border-radius: 8px; padding: 0 6px; font-size: 12px; }
.fm-notice span { display: block; }
@media print { body { margin: 0; max-width: none; } }
"""

BLOCKS = """\
{%- macro badge(own) -%}
<span class="fm-badge fm-{{ own.tone }}">{{ own.text }}</span>
{%- endmacro -%}
{%- macro cell(own) -%}
{% if own is string %}{{ own }}{% else %}{{ badge(own) }}{% endif %}
{%- endmacro -%}
{%- macro right(own, column) -%}
{% if column in own.numbers %} class="fm-number"{% endif %}
{%- endmacro -%}
{%- macro table(own) -%}
<div class="fm-scroll" tabindex="0"><table class="fm-table">
{%- if own.caption %}<caption>{{ own.caption }}</caption>{% endif -%}
<thead><tr>
{%- for name in own.header %}<th{{ right(own, loop.index0) }} scope="col">{{ name }}</th>
{%- endfor -%}
</tr></thead><tbody>
{%- for row in own.rows %}<tr>
{%- for one in row %}<td{{ right(own, loop.index0) }}>{{ cell(one) }}</td>{% endfor -%}
</tr>{% endfor -%}
</tbody></table></div>
{%- endmacro -%}
{%- macro notice(own) -%}
<div class="fm-notice fm-{{ own.tone }}" role="{{ 'alert' if own.tone == 'stop' else 'status' }}">
{#- -#}
<div><strong>{{ own.text }}</strong>{% if own.more %}<span>{{ own.more }}</span>{% endif %}</div>
{#- -#}
</div>
{%- endmacro -%}
{%- for kind, own in blocks -%}
{%- if kind == "Heading" %}<h{{ own.level }}>{{ own.text }}</h{{ own.level }}>
{%- elif kind == "Paragraph" %}{% if own.text %}<p>{{ own.text }}</p>{% endif %}
{%- elif kind == "Bullets" %}{% if own.lines -%}
<ul class="fm-bullets">{% for line in own.lines %}<li>{{ line }}</li>{% endfor %}</ul>
{%- endif %}
{%- elif kind == "Badge" %}{{ badge(own) }}
{%- elif kind == "Notice" %}{{ notice(own) }}
{%- elif kind == "Table" %}{{ table(own) }}
{%- elif kind == "Code" %}<pre><code>{{ own.text }}</code></pre>
{%- else %}<figure>{{ drawn[own.name] }}<figcaption>{{ own.caption }}</figcaption></figure>
{%- endif -%}
{%- endfor -%}
"""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
{{ body }}
</body>
</html>
"""


def markup(*blocks: Block, figures: Path | None = None) -> Markup:
    """Blocks one after the other; `figures` is where the SVG files of a `Figure` lie."""
    drawn = {
        block.name: _drawing(figures / f"{block.name}.svg")
        for block in blocks
        if figures is not None and isinstance(block, Figure)
    }
    named = [(type(block).__name__, block) for block in blocks]
    return Markup(_template(BLOCKS).render(blocks=named, drawn=drawn))


def page(title: str, blocks: Sequence[Block], figures: Path) -> str:
    """A whole file; `figures` is where the SVG files lie."""
    body = markup(*blocks, figures=figures)
    return str(_template(PAGE).render(title=title, style=Markup(STYLE), body=body))


def _drawing(file: Path) -> Markup:
    drawing = file.read_text(encoding="utf-8")
    return Markup(drawing[drawing.index("<svg") :])


@cache
def _template(source: str) -> Any:
    from jinja2 import Environment, StrictUndefined

    made = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return made.from_string(source)
