"""The verbs that pages and command line call: the only door to everything below.

studio.py      Studio, and the verbs on the studio itself
projects.py    projects                cohorts.py     cohorts and what was found in them
bases.py       bases and encoders      pretraining.py new bases from cases without labels
runs.py        fine-tuning             adapters.py    adapters and bundles
predictions.py previews, answers       values.py      typed values, checked as they are typed
evaluation.py  how good an adapter is  keys.py        who signs, and whose signatures are trusted
context.py     what all of them share: one home folder, its registry, what is in memory
"""

from fmstudio.studio.studio import Studio

__all__ = ["Studio"]
