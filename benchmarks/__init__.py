"""What the studio costs and what it gains, measured beside the obvious alternative.

`python -m benchmarks` runs everything and writes RESULTS.md; `--help` names the parts.
"""
