"""What an audit refuses: one sentence with the value in it and the next step."""

from studiolo.errors import UsageError


class AuditError(UsageError):
    """What was given cannot be audited; says what was found and what to give instead."""
