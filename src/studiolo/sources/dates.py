"""Dates of all the epochs that exports are written in, as ISO 8601 text in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_START = datetime(1970, 1, 1)
_YEAR_2100_S = 4_102_444_800
_FROM_1601_TO_1970_S = 11_644_473_600
_DIGITS = re.compile(r"-?[0-9]{1,18}")


def iso_from_us(microseconds: int) -> str:
    """Return ISO 8601 text for microseconds since 1970; the fraction stays only where there is one."""
    seconds, rest = divmod(microseconds, 1_000_000)
    text = (_START + timedelta(seconds=seconds)).isoformat()
    return f"{text}.{rest:06d}Z" if rest else f"{text}Z"


def iso(value: str | int | float | None) -> str | None:
    """Return a saved date as ISO 8601 in UTC, or None where there is none or it cannot be read.

    Whole numbers count seconds, milliseconds or microseconds since 1970, or microseconds since 1601 (Chrome): the
    first of these that falls between 1970 and 2100. Text is read as ISO 8601; without a zone it is UTC.

    >>> iso("1616337559"), iso("1616337559000000"), iso("13084680099000000")
    ('2021-03-21T14:39:19Z', '2021-03-21T14:39:19Z', '2015-08-22T01:21:39Z')
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, float):
        if not 0 < value < _YEAR_2100_S:
            return None
        return iso_from_us(round(value * 1_000_000))
    text = str(value).strip()
    if _DIGITS.fullmatch(text):
        number = int(text)
        for unit_us in (1_000_000, 1_000, 1):
            if 0 < number * unit_us < _YEAR_2100_S * 1_000_000:
                return iso_from_us(number * unit_us)
        since_1970_us = number - _FROM_1601_TO_1970_S * 1_000_000
        if 0 < since_1970_us < _YEAR_2100_S * 1_000_000:
            return iso_from_us(since_1970_us)
        return None
    try:
        moment = datetime.fromisoformat(text[:40])
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return iso_from_us((moment - _EPOCH) // timedelta(microseconds=1))
