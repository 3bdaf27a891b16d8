"""The verbs that pages and command line call: the only door to everything below.

verbs.py      Studio, the whole of it; the verbs on the studio itself
answers.py    previews, predictions                  batch.py      a manifest's answers as CSV
judgements.py how good an adapter is
adapters.py   adapters                               exchange.py   bundles out, checked, and in
training.py   bases and runs                         waiting.py    waiting for a run
recipes.py    settings to run again
catalogue.py  bases and encoders
pretraining.py  new bases from cases without labels
projects.py   projects and cohorts                   manifests.py  from a manifest to cases
home.py       one open home folder                   loaded.py     models that stay in memory
uploads.py    files that come and go                 tasks.py      what is predicted
sample.py     the sample project                     starting.py   the first minute of the app
encoders.py   checkpoints chosen for a run
"""

from fmstudio.studio.verbs import Studio

__all__ = ["Studio"]
