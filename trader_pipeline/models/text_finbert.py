"""FinBERT, BERT trained on financial sentences, through transformers (extra `nlp`). Araci 2019."""

import datetime as dt
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from trader_pipeline.durable import sha256_file
from trader_pipeline.errors import UsageError
from trader_pipeline.models.text_scorer import Float, TextScorer, TextScores

LABELS = ("negative", "neutral", "positive")
_FILES = ("*.json", "*.txt", "*.safetensors", "*.bin")
MOST_TOKENS = 128
"""A headline has some twenty; what is longer is cut."""
DECIMALS = 6
"""Which texts share a batch moves the last bits; they are not stored."""


def finbert(model: str, *, released_on: dt.date, batch: int, hub_revision: str | None = None) -> TextScorer:
    """Return the scorer of a folder, or of a name on the Hugging Face hub, whose score is P(positive) - P(negative).

    Which output means what is read from the model's config. `hub_revision` is a commit on the hub, else its newest. The revision is
    the sha256 of the model's files. Raises `UsageError` without transformers, where the model cannot be opened, and for other
    labels than the three.
    """
    try:
        import huggingface_hub  # noqa: PLC0415 - an extra
        import transformers  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            'FinBERT wants transformers; pip install "trader-pipeline[nlp]", or leave TRADER_NLP__FINBERT unset for VADER alone'
        ) from error
    try:
        folder = (
            Path(model)
            if Path(model).is_dir()
            else Path(huggingface_hub.snapshot_download(model, revision=hub_revision, allow_patterns=_FILES))
        )
        config = transformers.AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise UsageError(f"{model} cannot be opened as a text model: {error}; set TRADER_NLP__FINBERT to a folder or a hub name") from error
    outputs = _outputs(model, config.id2label)

    def score(texts: Sequence[str]) -> TextScores:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        network = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
        shares_n3 = np.concatenate([np.empty((0, 3)), *_batches(network, tokenizer, texts, batch)])[:, outputs]
        shares_n3 = shares_n3.round(DECIMALS)
        return TextScores(shares_n3=shares_n3, score_n=shares_n3[:, 2] - shares_n3[:, 0])

    return TextScorer(name="finbert", revision=_sha256(folder), released_on=released_on, score=score)


def _outputs(model: str, id2label: dict[int, str]) -> list[int]:
    """Return which output is negative, neutral and positive."""
    of_label = {str(label).lower(): int(number) for number, label in id2label.items()}
    if set(of_label) != set(LABELS):
        raise UsageError(f"{model} tells {sorted(of_label)} apart, not {sorted(LABELS)}; set TRADER_NLP__FINBERT to a model of sentiment")
    return [of_label[label] for label in LABELS]


def _batches(network: Any, tokenizer: Any, texts: Sequence[str], batch: int) -> Iterator[Float]:
    import torch  # noqa: PLC0415 - loading the definitions needs none

    for first in range(0, len(texts), batch):
        tokens = tokenizer(list(texts[first : first + batch]), padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            yield torch.softmax(network(**tokens).logits.double(), dim=-1).numpy()


def _sha256(folder: Path) -> str:
    files = sorted(path for pattern in _FILES for path in folder.glob(pattern))
    return sha256("\n".join(f"{path.name} {sha256_file(path)}" for path in files).encode()).hexdigest()
