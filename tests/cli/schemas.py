"""What programs may rely on: docs/schemas has one JSON Schema for each command with --json."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator


FOLDER = Path(__file__).parents[2] / "docs" / "schemas"
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def kept_by(name, output):
    """Return the value that a command printed, which must be what its schema says."""
    value = json.loads(output) if isinstance(output, str) else output
    Draft202012Validator(SCHEMAS[name]).validate(value)
    return value
