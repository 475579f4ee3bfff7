import datetime as dt
import sys

import numpy as np
import pytest

from trader_pipeline.errors import UsageError
from trader_pipeline.models.text_finbert import finbert

RELEASED = dt.date(2019, 8, 27)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "profit", "loss", "warns", "of", "a", "great"]
TEXTS = ["profit", "loss", "a great profit", "warns of a loss", "of"]


def test_without_transformers_the_mend_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match="trader-pipeline\\[nlp\\]"):
        finbert("anything", released_on=RELEASED, batch=2)


@pytest.fixture
def saved(tmp_path):
    """A tiny network of random weights; `labels` are its outputs in order."""
    transformers = pytest.importorskip("transformers", reason="the extra nlp is not installed")
    torch = pytest.importorskip("torch")

    def save(labels=("positive", "negative", "neutral"), seed=0, name="model"):
        torch.manual_seed(seed)
        folder = tmp_path / name
        folder.mkdir()
        (folder / "vocab.txt").write_text("\n".join(WORDS))
        sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        config = transformers.BertConfig(
            vocab_size=len(WORDS), id2label=dict(enumerate(labels)), label2id={v: k for k, v in enumerate(labels)}, **sizes
        )
        network = transformers.BertForSequenceClassification(config)
        torch.nn.init.normal_(network.classifier.weight)
        network.save_pretrained(folder)
        transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
        return str(folder)

    return save


def scores(folder, batch=2):
    return finbert(folder, released_on=RELEASED, batch=batch).score(TEXTS)


def test_labels_are_read_from_the_config_whatever_their_order(saved):
    one, other = scores(saved(name="one")), scores(saved(("Neutral", "Positive", "Negative"), name="other"))
    # outputs 0, 1, 2 are positive, negative, neutral in the first; in the second output 0 is neutral, 1 positive, 2 negative
    np.testing.assert_allclose(one.shares_n3[:, [2, 0, 1]], other.shares_n3[:, [1, 2, 0]])
    np.testing.assert_allclose(one.shares_n3.sum(axis=1), 1.0)
    np.testing.assert_allclose(one.score_n, one.shares_n3[:, 2] - one.shares_n3[:, 0])
    assert len(set(one.score_n.round(6))) > 1


def test_the_batch_changes_no_score(saved):
    folder = saved()
    np.testing.assert_allclose(scores(folder, batch=1).shares_n3, scores(folder, batch=5).shares_n3, atol=1e-6)


def test_no_texts_no_scores(saved):
    assert finbert(saved(), released_on=RELEASED, batch=2).score([]).shares_n3.shape == (0, 3)


def test_the_revision_follows_the_weights(saved):
    first, same, other = (
        finbert(saved(seed=seed, name=name), released_on=RELEASED, batch=2).revision for seed, name in ((0, "a"), (0, "b"), (1, "c"))
    )
    assert first == same != other


def test_a_model_of_other_labels_is_refused(saved):
    with pytest.raises(UsageError, match="not \\['negative', 'neutral', 'positive'\\]"):
        finbert(saved(("LABEL_0", "LABEL_1", "LABEL_2")), released_on=RELEASED, batch=2)


def test_a_folder_without_a_model_is_refused(tmp_path):
    pytest.importorskip("transformers", reason="the extra nlp is not installed")
    with pytest.raises(UsageError, match="TRADER_NLP__FINBERT"):
        finbert(str(tmp_path), released_on=RELEASED, batch=2)
