"""Text models that read in both directions: BERT (Devlin et al. 2019), RoBERTa (Liu et al. 2019),
ELECTRA (Clark et al. 2020), DeBERTa V2 and V3 (He et al. 2021), ModernBERT (Warner et al. 2024).

Every subword's state knows the whole text, so that means over consecutive subwords are the tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fmstudio.encoders.architectures import Architecture, CheckpointFamily, settings
from fmstudio.encoders.tokenized import (
    FAST,
    SKETCH_SIZE,
    WORD_PIECES,
    TextNetwork,
    Tokenized,
    tokenized,
)

QUERIES = r"encoder\.layer\.\d+\.attention\.self\.(query|value)"
NO_POOLER = {"add_pooling_layer": False}
ARCHITECTURES = {
    "bert": Architecture("BertConfig", "BertModel", QUERIES, arguments=NO_POOLER),
    "roberta": Architecture("RobertaConfig", "RobertaModel", QUERIES, arguments=NO_POOLER),
    "xlm-roberta": Architecture(
        "XLMRobertaConfig", "XLMRobertaModel", QUERIES, arguments=NO_POOLER
    ),
    "electra": Architecture("ElectraConfig", "ElectraModel", QUERIES),
    "deberta-v2": Architecture(
        "DebertaV2Config",
        "DebertaV2Model",
        r"encoder\.layer\.\d+\.attention\.self\.(query_proj|value_proj)",
        further=tuple(
            (
                "attention_head_size conv_act conv_groups conv_kernel_size embedding_size "
                "norm_rel_ebd position_buckets share_att_key"
            ).split()
        ),
    ),
    # Queries, keys and values are one layer.
    "modernbert": Architecture(
        "ModernBertConfig", "ModernBertModel", r"layers\.\d+\.attn\.(Wqkv|Wo)"
    ),
}


def prepares(config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]) -> Tokenized:
    """RoBERTa's positions start behind its padding subword's number."""
    described = settings(ARCHITECTURES[config["model_type"]], config["model"])
    behind = described.pad_token_id + 1 if "roberta" in config["model_type"] else 0
    return tokenized(folder, described.vocab_size, described.max_position_embeddings - behind)


ENCODER = CheckpointFamily(
    "bidirectional",
    "text",
    ARCHITECTURES,
    (FAST, WORD_PIECES),
    TextNetwork,
    prepares,
    sketch=SKETCH_SIZE,
)
