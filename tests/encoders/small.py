"""Small checkpoints of every architecture, saved as a hub would give them: nothing is downloaded.

Weights are random, sizes tiny; configs, safetensors, processors and tokenizers are real files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from fmstudio.encoders.checkpoint import inspect
from fmstudio.errors import InputError

WORDS = [
    "the",
    "a",
    "patient",
    "heart",
    "is",
    "with",
    "and",
    "of",
    "no",
    "chest",
    "pain",
    "cough",
    "history",
    "years",
    "old",
    "woman",
    "man",
    "denies",
    ".",
    ",",
    "##s",
    "##ing",
    "##ed",
]
BODY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
PICTURE = BODY | {"image_size": 32, "patch_size": 8}
PYRAMID = {
    "image_size": 64,
    "patch_size": 4,
    "embed_dim": 16,
    "depths": [1, 1],
    "num_heads": [2, 2],
    "window_size": 4,
}
STAGES = {"hidden_sizes": [8, 16, 32], "depths": [1, 1, 1], "num_stages": 3, "image_size": 64}
TEXT = BODY | {"vocab_size": 64, "max_position_embeddings": 40, "pad_token_id": 0}
SOUND = BODY | {
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    # As in the published ones: hides parts and leaves out layers at random in training.
    "mask_time_prob": 0.5,
    "layerdrop": 0.5,
}
HEADS = {"num_key_value_heads": 1, "head_dim": 16, "bos_token_id": 2, "eos_token_id": 3}

# model_type: (config class, its settings, class that is saved, class whose output is compared)
RECIPES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "vit": ("ViTConfig", PICTURE, "ViTForImageClassification", "ViTModel"),
    "deit": ("DeiTConfig", PICTURE, "DeiTModel", "DeiTModel"),
    "dinov2": ("Dinov2Config", PICTURE, "Dinov2ForImageClassification", "Dinov2Model"),
    "dinov2_with_registers": (
        "Dinov2WithRegistersConfig",
        PICTURE | {"num_register_tokens": 2},
        "Dinov2WithRegistersModel",
        "Dinov2WithRegistersModel",
    ),
    "dinov3_vit": (
        "DINOv3ViTConfig",
        PICTURE | {"num_register_tokens": 2, "pos_embed_rescale": 2.0},
        "DINOv3ViTModel",
        "DINOv3ViTModel",
    ),
    "clip": (
        "CLIPConfig",
        {"vision_config": PICTURE, "text_config": TEXT},
        "CLIPModel",
        "CLIPVisionModel",
    ),
    "clip_vision_model": ("CLIPVisionConfig", PICTURE, "CLIPVisionModel", "CLIPVisionModel"),
    "siglip": (
        "SiglipConfig",
        {"vision_config": PICTURE, "text_config": TEXT},
        "SiglipModel",
        "SiglipVisionModel",
    ),
    "siglip_vision_model": (
        "SiglipVisionConfig",
        PICTURE | {"vision_use_head": False},
        "SiglipVisionModel",
        "SiglipVisionModel",
    ),
    "siglip2": (
        "Siglip2Config",
        {"vision_config": BODY | {"patch_size": 8, "num_patches": 16}, "text_config": TEXT},
        "Siglip2Model",
        "Siglip2VisionModel",
    ),
    "siglip2_vision_model": (
        "Siglip2VisionConfig",
        BODY | {"patch_size": 8, "num_patches": 16},
        "Siglip2VisionModel",
        "Siglip2VisionModel",
    ),
    "swin": ("SwinConfig", PYRAMID, "SwinForImageClassification", "SwinModel"),
    "swinv2": ("Swinv2Config", PYRAMID, "Swinv2Model", "Swinv2Model"),
    "convnext": ("ConvNextConfig", STAGES, "ConvNextForImageClassification", "ConvNextModel"),
    "convnextv2": ("ConvNextV2Config", STAGES, "ConvNextV2Model", "ConvNextV2Model"),
    "videomae": (
        "VideoMAEConfig",
        PICTURE | {"num_frames": 4},
        "VideoMAEForVideoClassification",
        "VideoMAEModel",
    ),
    "vjepa2": (
        "VJEPA2Config",
        {
            "crop_size": 32,
            "patch_size": 8,
            "frames_per_clip": 4,
            "hidden_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "pred_hidden_size": 24,
            "pred_num_attention_heads": 2,
            "pred_num_hidden_layers": 1,
        },
        "VJEPA2Model",
        "VJEPA2Model",
    ),
    "bert": ("BertConfig", TEXT, "BertForMaskedLM", "BertModel"),
    "roberta": ("RobertaConfig", TEXT | {"pad_token_id": 1}, "RobertaForMaskedLM", "RobertaModel"),
    "xlm-roberta": (
        "XLMRobertaConfig",
        TEXT | {"pad_token_id": 1},
        "XLMRobertaModel",
        "XLMRobertaModel",
    ),
    "electra": ("ElectraConfig", TEXT | {"embedding_size": 16}, "ElectraModel", "ElectraModel"),
    "deberta-v2": (
        "DebertaV2Config",
        TEXT | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
        "DebertaV2ForMaskedLM",
        "DebertaV2Model",
    ),
    "modernbert": (
        "ModernBertConfig",
        TEXT | {"cls_token_id": 2, "sep_token_id": 3, "local_attention": 8},
        "ModernBertForMaskedLM",
        "ModernBertModel",
    ),
    "gpt2": (
        "GPT2Config",
        {
            "vocab_size": 64,
            "n_embd": 32,
            "n_layer": 2,
            "n_head": 2,
            "n_positions": 40,
            "bos_token_id": 2,
            "eos_token_id": 3,
        },
        "GPT2LMHeadModel",
        "GPT2Model",
    ),
    "llama": ("LlamaConfig", TEXT | HEADS, "LlamaForCausalLM", "LlamaModel"),
    "mistral": ("MistralConfig", TEXT | HEADS, "MistralModel", "MistralModel"),
    "qwen2": ("Qwen2Config", TEXT | HEADS, "Qwen2ForCausalLM", "Qwen2Model"),
    "qwen3": ("Qwen3Config", TEXT | HEADS, "Qwen3ForCausalLM", "Qwen3Model"),
    "audio-spectrogram-transformer": (
        "ASTConfig",
        BODY
        | {
            "max_length": 128,
            "num_mel_bins": 32,
            "patch_size": 8,
            "time_stride": 4,
            "frequency_stride": 8,
        },
        "ASTForAudioClassification",
        "ASTModel",
    ),
    "wav2vec2": ("Wav2Vec2Config", SOUND, "Wav2Vec2ForCTC", "Wav2Vec2Model"),
    "hubert": ("HubertConfig", SOUND, "HubertModel", "HubertModel"),
    "wavlm": ("WavLMConfig", SOUND, "WavLMModel", "WavLMModel"),
    "whisper": (
        "WhisperConfig",
        {
            "d_model": 32,
            "encoder_layers": 2,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "vocab_size": 64,
            "num_mel_bins": 20,
            "max_source_positions": 100,
            "pad_token_id": 0,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "decoder_start_token_id": 2,
            "encoder_layerdrop": 0.5,
        },
        "WhisperForConditionalGeneration",
        "WhisperModel",
    ),
    "patchtst": (
        "PatchTSTConfig",
        {
            "d_model": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "ffn_dim": 64,
            "context_length": 64,
            "patch_length": 8,
            "patch_stride": 4,
            "num_input_channels": 7,
            "do_mask_input": True,
            "use_cls_token": True,
        },
        "PatchTSTForPretraining",
        "PatchTSTModel",
    ),
    "timesfm2_5": (
        "TimesFm2_5Config",
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "intermediate_size": 32,
            "patch_length": 8,
            "context_length": 64,
            "output_quantile_len": 8,
            "horizon_length": 8,
        },
        "TimesFm2_5ModelForPrediction",
        "TimesFm2_5Model",
    ),
}

EIGHT_BIT = {
    "do_resize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.4, 0.45, 0.5],
    "image_std": [0.2, 0.25, 0.3],
    "resample": 3,
}
SQUARE = EIGHT_BIT | {"size": {"height": 32, "width": 32}}
CROPPED = EIGHT_BIT | {
    "size": {"shortest_edge": 36},
    "do_center_crop": True,
    "crop_size": {"height": 32, "width": 32},
}
RAW = {
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "sampling_rate": 16000,
    "feature_size": 1,
    "do_normalize": True,
    "padding_value": 0.0,
    "return_attention_mask": False,
}
PROCESSORS: dict[str, dict[str, Any]] = {
    "vit": SQUARE | {"image_processor_type": "ViTFeatureExtractor", "size": 32},
    "deit": CROPPED | {"image_processor_type": "DeiTImageProcessor", "size": 36, "crop_size": 32},
    "dinov2": CROPPED | {"image_processor_type": "BitImageProcessor"},
    "dinov2_with_registers": CROPPED | {"image_processor_type": "BitImageProcessor"},
    "dinov3_vit": SQUARE | {"image_processor_type": "DINOv3ViTImageProcessorFast", "resample": 2},
    "clip": CROPPED | {"feature_extractor_type": "CLIPFeatureExtractor"},
    "clip_vision_model": CROPPED | {"image_processor_type": "CLIPImageProcessor"},
    "siglip": SQUARE | {"image_processor_type": "SiglipImageProcessor"},
    "siglip_vision_model": SQUARE | {"image_processor_type": "SiglipImageProcessorFast"},
    "swin": SQUARE | {"image_processor_type": "ViTImageProcessor", "size": 64},
    "swinv2": SQUARE | {"image_processor_type": "ViTImageProcessor", "size": 64},
    "convnext": EIGHT_BIT
    | {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 64},
        "crop_pct": 0.875,
    },
    "convnextv2": EIGHT_BIT
    | {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 64},
    },
    "videomae": CROPPED | {"image_processor_type": "VideoMAEImageProcessor"},
    "vjepa2": CROPPED | {"video_processor_type": "VJEPA2VideoProcessor", "resample": 2},
    "audio-spectrogram-transformer": {
        "feature_extractor_type": "ASTFeatureExtractor",
        "sampling_rate": 16000,
        "num_mel_bins": 32,
        "max_length": 128,
        "do_normalize": True,
        "mean": -4.2677,
        "std": 4.5689,
        "feature_size": 1,
        "padding_value": 0.0,
        "return_attention_mask": False,
    },
    "wav2vec2": RAW,
    "hubert": RAW,
    "wavlm": RAW,
    "whisper": {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "sampling_rate": 16000,
        "feature_size": 20,
        "hop_length": 160,
        "n_fft": 400,
        "chunk_length": 2,
        "padding_value": 0.0,
        "return_attention_mask": False,
    },
}
for _name in ("siglip2", "siglip2_vision_model"):
    PROCESSORS[_name] = EIGHT_BIT | {
        "image_processor_type": "Siglip2ImageProcessor",
        "patch_size": 8,
        "max_num_patches": 16,
    }


def own_model(model_type: str, folder: Path) -> Any:
    """The model as transformers itself loads it from the folder."""
    made = getattr(transformers, RECIPES[model_type][3])
    # The checkpoint of this one was saved to hide parts of its input, of seven channels.
    patchtst = {"do_mask_input": False, "num_input_channels": 1}
    steady = patchtst if model_type == "patchtst" else {}
    model = made.from_pretrained(folder, local_files_only=True, **steady).eval()
    return model.encoder if model_type == "whisper" else model


def save_checkpoint(model_type: str, folder: Path) -> Path:
    """Writes config.json, model.safetensors and the processor's files."""
    config_class, given, saved, _ = RECIPES[model_type]
    torch.manual_seed(0)
    model = getattr(transformers, saved)(getattr(transformers, config_class)(**given)).eval()
    # Fresh weights are nearly nothing: outputs would hardly depend on the input.
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    if model_type in PROCESSORS:
        name = "video_preprocessor_config" if model_type == "vjepa2" else "preprocessor_config"
        text = json.dumps(PROCESSORS[model_type])
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    elif "vocab_size" in given:
        save_tokenizer(folder / "tokenizer.json", special=model_type != "gpt2")
    return folder


def save_tokenizer(path: Path, special: bool) -> None:
    """Word pieces of a handful of words; with `special`, marks around every text."""
    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if special:
        marks = [("[CLS]", 2), ("[SEP]", 3)]
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=marks
        )
    # Published files keep such settings; texts must not be cut or filled up by them.
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(path))


def rewrite(path: Path, **changes: object) -> None:
    """Changes values of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")


def refusal(folder: Path, kind: str | None = None) -> InputError:
    """What `inspect` says of a folder that it refuses: with a hint, and without the way to it."""
    with pytest.raises(InputError) as refused:
        inspect(folder, kind)
    assert refused.value.hint
    assert str(folder.parent) not in refused.value.message + refused.value.hint
    return refused.value
