"""Imported by the fork server alone: what every worker would otherwise find out anew."""

from .machine import this_environment, this_machine


this_machine()
this_environment()
