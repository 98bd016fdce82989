"""One folder per paper: implementation, claims, experiments."""
