"""Time, memory and operations, measured so that a shared machine does not decide."""

from .counting import flops, peak_tensor_bytes, top_octave_exponent
from .timing import Pairs, abba


__all__ = ["Pairs", "abba", "flops", "peak_tensor_bytes", "top_octave_exponent"]
