"""Numbers that callers give, looked over before the extension takes them."""

import math
import operator

from . import _core

__all__ = ["number", "whole"]


def number(name, value):
    """A float of anything that is a number."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {_told(value)}, expected a number") from None


def whole(name, value, least=0, most=2**31 - 1):
    """An int from `least` to `most` of anything that is a whole number."""
    try:
        found = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: got {_told(value)}, expected a whole number") from None
    if not least <= found <= most:
        raise _core.Error(f"{name}: got {found}, expected a number from {least} to {most}")
    return found


def _told(value):
    simple = isinstance(value, (str, int, float)) and len(repr(value)) < 40 and not (isinstance(value, float) and math.isnan(value))
    return repr(value) if simple else type(value).__name__
