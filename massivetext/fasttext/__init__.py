"""fastText classifiers applied to columns of text: the model file's reader and inference as kernels.

The library itself is needed only to train.
"""

from __future__ import annotations

from massivetext.fasttext.model import Model, load, read
from massivetext.fasttext.pair import Pair, load_pair, pair_of
from massivetext.fasttext.predict import predict, predict_both

__all__ = ["Model", "Pair", "load", "load_pair", "pair_of", "predict", "predict_both", "read"]
