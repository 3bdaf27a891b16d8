"""The stages of a run, as its progress and its estimate name them. Free of torch."""

from __future__ import annotations

READING = "Reading and preparing"
SIMPLER = "Fitting the simpler models"
SEARCHING = "Searching for settings"
TUNING = "Fine-tuning"
JUDGING = "Evaluating on held-out patients"
# Of a pretraining run, after the reading:
LEARNING = "Learning without labels"
COMPARING = "Comparing with the base before"
