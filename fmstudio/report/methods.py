"""The methods of a report, written from what was set and what was done."""

from __future__ import annotations

from fmstudio.present.blocks import Block, Heading, Paragraph, Table
from fmstudio.present.outcomes import outcomes_of
from fmstudio.report.facts import Facts, balanced_groups
from fmstudio.results.thresholds import OperatingPoints


def methods(facts: Facts) -> list[Block]:
    """Data, model, training and evaluation, in sentences for a paper's methods section."""
    return [Heading("Methods"), *_data(facts), *_model(facts), *_evaluation(facts)]


def _data(facts: Facts) -> list[Block]:
    n, task = facts.card.get("n") or {}, facts.project.task
    cohort = facts.cohort
    known = (
        f"The cohort '{cohort.name}' has {cohort.audit.cases} cases of "
        f"{cohort.audit.patients} patients. "
        if cohort
        else ""
    )
    splits = ", ".join(f"{count} {split}" for split, count in n.items())
    text = (
        f"{known}Cases were split by patient into {splits or 'parts that are not known'}, so that "
        "no patient stands in two of them. Rows without a label or without any input were "
        f"excluded ({facts.card.get('set_aside', 'not known')}). The outcome is "
        f"{', '.join(task.columns)} ({task.kind}: {outcomes_of(task)}). The fingerprint of "
        f"manifest and files is {facts.card.get('fingerprint', 'not known')}."
    )
    return [Heading("Data", 3), Paragraph(text)]


def _model(facts: Facts) -> list[Block]:
    card, config = facts.card, facts.card.get("config") or {}
    looks_at = ", ".join(facts.modality(name) for name in facts.evaluation.modalities)
    text = (
        f"A shared transformer (base '{card.get('base')}', weights SHA-256 "
        f"{card.get('base_sha256')}) reads {looks_at}; a missing one gives no token. Low-rank "
        "adapters (LoRA: Hu et al. 2021, arXiv 2106.09685) were trained on it, starting from a "
        "probe on its frozen features (Kumar et al. 2022, arXiv 2202.10054): linear fits, beside "
        "them boosted trees on the columns of a table and on the last, mean, lowest and highest "
        "reading of each channel of a series (Ke et al. 2017), weighed by stacking "
        "(Breiman 1996). Of boosting alone, the probe and adapters of growing depth, the simplest "
        "within one standard error of the best was kept (Breiman et al. 1984), boosting only where "
        "it kept up with the probe on cross-validated training patients as well. "
        f"{card.get('reason', '')} Logits were calibrated on validation patients, by a temperature "
        "(Guo et al. 2017, arXiv 1706.04599) and for yes-or-no tasks a shift (Platt 1999), both "
        "drawn towards no change by a normal prior of standard deviation 0.3."
    )
    blocks: list[Block] = [Heading("Model and training", 3), Paragraph(text)]
    if balanced_groups(facts):
        blocks.append(Paragraph(balanced_groups(facts)))
    shown = {key: value for key, value in config.items() if value not in ("", [], {}, None)}
    if shown:
        rows = [[key.replace("_", " "), _plain(value)] for key, value in shown.items()]
        blocks.append(Table(["Setting", "Value"], rows, "Settings of the run"))
    versions = card.get("versions") or {}
    made = ", ".join(f"{name} {number}" for name, number in versions.items())
    return [*blocks, Paragraph(f"Software: {made or 'not kept'}.")]


def _plain(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)


def _evaluation(facts: Facts) -> list[Block]:
    found = facts.evaluation
    text = (
        f"All figures are on {found.n} held-out cases of {found.patients} patients that "
        "neither training nor any choice has seen. Intervals are 95 % percentile intervals over "
        "1,000 resamples of patients (Efron and Tibshirani 1993); those of differences are paired. "
        "Shares of 0 and 1 have the exact interval (Clopper and Pearson 1934)."
    )
    if found.triage is None:
        return [Heading("Evaluation", 3), Paragraph(text)]
    chosen_on = (
        found.operating_points.chosen_on
        if isinstance(found.operating_points, OperatingPoints)
        else "validation patients"
    )
    more = (
        "Calibration is described by the error over 15 bins, and by slope and intercept of a "
        "logistic recalibration (Cox 1958; Van Calster et al. 2019). Thresholds for operating "
        f"points were chosen on {chosen_on}. "
        "Net benefit follows Vickers and Elkin (2006). Rule-in and rule-out thresholds "
        "promise PPV and NPV by exact binomial bounds over a few sizes fixed in advance, with a "
        "Bonferroni correction (learn then test: Angelopoulos et al. 2021, arXiv 2110.01052). "
        "Groups of at least 20 cases were compared with all others; P values are adjusted for all "
        "comparisons by the largest of 999 permutations of patients (Westfall and Young 1993). "
        "Conformal sets are split conformal (Sadinle, Lei and Wasserman 2019)."
    )
    return [Heading("Evaluation", 3), Paragraph(text), Paragraph(more)]
