"""fastText classifiers applied to columns of text: the model file's reader and inference as kernels.

The library itself is needed only to train.
"""

from __future__ import annotations

from massivetext.fasttext.model import Model, load, read
from massivetext.fasttext.predict import predict

__all__ = ["Model", "load", "predict", "read"]
