"""Polite HTTP for every other room."""
