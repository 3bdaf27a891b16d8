"""The smallest Gradio app: what `startup` holds the studio against.

python benchmarks/hello.py PORT
"""

from __future__ import annotations

import sys

import gradio as gr


def greet(name: str) -> str:
    """The text of Gradio's own first example."""
    return f"Hello {name}!"


if __name__ == "__main__":
    app = gr.Interface(fn=greet, inputs="text", outputs="text", analytics_enabled=False)
    app.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), quiet=True)
