"""Bars of CPU time that mean the same on a slower or busier machine."""

import argparse
import ast
import inspect
import time


PARSED_IN_S = 0.018  # argparse's source, on the machine that the bars were written on


def on_this_machine(bar_s):
    """Return a bar in CPU seconds, longer by as much as this machine is slower now, never shorter."""
    source = inspect.getsource(argparse)
    costs = []
    for _ in range(5):
        started = time.process_time()
        ast.parse(source)
        costs.append(time.process_time() - started)
    return bar_s * max(1, min(costs) / PARSED_IN_S)
