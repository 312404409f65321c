"""Fixtures that build tiny models in code: real file formats and real loading code, random weights, no network.

Used as a plugin: ``pytest_plugins = ["tests.conftest_models"]``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789.,;:?!()-+=*/'" + "가나다라마바사아자차카타파하은는이가을를의에"


def build_tiny_encoder(folder: Path, *, seed: int = 0, dimension: int = 16) -> Path:
    """A randomly initialised BERT of one layer as a sentence-transformers folder with a character tokenizer."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += [*dict.fromkeys(_ALPHABET), *(f"##{character}" for character in dict.fromkeys(_ALPHABET))]
    tokenizer = Tokenizer(WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.pre_tokenizer = Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.post_processor = TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=dimension,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * dimension,
        max_position_embeddings=64,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 64}', encoding="utf-8")
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": dimension, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")
    return folder


ARCHITECTURES = ("bert", "roberta", "roberta-wordpiece", "xlm-roberta", "mpnet")
"""As they are in all-MiniLM-L12-v2 and multilingual-e5, roberta-large, klue/roberta-base, XLM-R, all-mpnet-base-v2."""


def build_tiny_transformer(
    folder: Path, architecture: str, *, layers: int = 3, dimension: int = 32, tokens: int = 128
) -> Path:
    """A randomly initialised checkpoint of one of ``ARCHITECTURES`` with the tokenizer that it is published with.

    It reads so many ``tokens``, most of them single characters; a plain folder of transformers, which
    sentence-transformers pools by the mean.
    """
    import torch
    from transformers import (
        BertConfig,
        BertModel,
        MPNetConfig,
        MPNetModel,
        PreTrainedTokenizerFast,
        RobertaConfig,
        RobertaModel,
        XLMRobertaConfig,
        XLMRobertaModel,
    )

    kinds = {
        "bert": (BertConfig, BertModel, _wordpiece),
        "roberta": (RobertaConfig, RobertaModel, _byte_pairs),
        "roberta-wordpiece": (RobertaConfig, RobertaModel, _wordpiece),
        "xlm-roberta": (XLMRobertaConfig, XLMRobertaModel, _unigram),
        "mpnet": (MPNetConfig, MPNetModel, _wordpiece),
    }
    make_config, make_model, make_tokenizer = kinds[architecture]
    tokenizer, names = make_tokenizer()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=tokens, **names)
    fast.save_pretrained(folder)
    torch.manual_seed(7)
    config = make_config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=dimension,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * dimension,
        # RoBERTa and MPNet count positions from the padding token's id on.
        max_position_embeddings=tokens + 4,
        pad_token_id=fast.pad_token_id,
        # Wide enough that states differ from token to token, as trained ones do.
        initializer_range=0.1,
    )
    make_model(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def build_tiny_adapter(folder: Path, transformer_folder: Path, *, layers: int | None = None) -> Path:
    """A LoRA adapter with random weights for the first ``layers`` layers of a tiny transformer, as peft saves it."""
    import torch
    from peft import LoraConfig
    from transformers import AutoModel

    from grading.explanation.lora import with_new_adapter

    model = AutoModel.from_pretrained(transformer_folder, **({"num_hidden_layers": layers} if layers else {}))
    torch.manual_seed(3)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["query", "value"], init_lora_weights=False)
    with_new_adapter(model, config).save_pretrained(folder)
    return folder


def _wordpiece() -> tuple[Tokenizer, dict[str, str]]:
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces += [*dict.fromkeys(_ALPHABET), *(f"##{character}" for character in dict.fromkeys(_ALPHABET))]
    tokenizer = Tokenizer(WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.pre_tokenizer = BertPreTokenizer()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.post_processor = TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer, {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


def _byte_pairs() -> tuple[Tokenizer, dict[str, str]]:
    from tokenizers import Tokenizer
    from tokenizers.decoders import ByteLevel as ByteLevelDecoder
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel
    from tokenizers.processors import RobertaProcessing

    pieces = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "le", "ar", "Ġl", "Ġle"]
    merges = [("l", "e"), ("a", "r"), ("Ġ", "l"), ("Ġl", "e")]
    tokenizer = Tokenizer(BPE({piece: n for n, piece in enumerate(pieces)}, merges, unk_token="<unk>"))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = ByteLevelDecoder()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))  # pyright: ignore[reportAttributeAccessIssue]
    return tokenizer, {"unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>"}


def _unigram() -> tuple[Tokenizer, dict[str, str]]:
    from grading.e5_archive import xlmr_tokenizer

    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁the", -3.0), ("▁학습", -3.0)]
    pieces += [(character, -5.0) for character in dict.fromkeys(_ALPHABET)]
    names = {"unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>"}
    return xlmr_tokenizer(tuple(pieces)), names


@pytest.fixture(scope="session")
def tiny_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers folder of 20 kB with random weights."""
    return build_tiny_encoder(tmp_path_factory.mktemp("models") / "tiny-encoder")


@pytest.fixture(scope="session")
def models_path() -> Path:
    """Where tests marked ``model`` keep the unpacked bundled models between runs; ignored by git."""
    return Path(__file__).parent.parent / ".mlquiz" / "models"
