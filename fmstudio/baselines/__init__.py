"""Baselines and the models that are fitted, not trained: linear, boosted trees, their stack."""
