"""Streams of the adaptive coder of the tier smallest.

Slow and clear, and in whole numbers only. Logits are in 1/256, probabilities in 1/65536 where nothing else is said.
"""

from .decoder import StreamDecoder

__all__ = ["StreamDecoder"]
