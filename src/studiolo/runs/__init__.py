"""Experiments to records: discovery, plan, worker processes, fingerprints, resume."""

from .discovery import discover, is_readers_own, paper_folders
from .drive import (
    ClaimJudged,
    ClaimLeft,
    Event,
    Finished,
    Planned,
    SeedFinished,
    SeedStarted,
    Stopping,
    WaitsForTiming,
    Warned,
    run,
)
from .engine import start_engine
from .evidence import (
    Evidence,
    experiment_of,
    experiment_of_figure,
    load_evidence,
    load_library_evidence,
    load_reference_evidence,
)
from .executor import Engine
from .fingerprint import code_of
from .forecast import Expected, Forecast, forecast
from .keep import save_reference
from .ledger import NO_HISTORY, Ledger, load_ledger
from .machine import (
    Machine,
    Place,
    load_machine,
    machine_name,
    this_environment,
    this_machine,
    this_place,
)
from .outcome import Outcome
from .plan import LeftOut, Plan, SeedToRun, bundles_of, kept_timeouts, plan_next
from .records import Record
from .replay import Replayed, replay


__all__ = [
    "NO_HISTORY",
    "ClaimJudged",
    "ClaimLeft",
    "Engine",
    "Event",
    "Evidence",
    "Expected",
    "Finished",
    "Forecast",
    "Ledger",
    "LeftOut",
    "Machine",
    "Outcome",
    "Place",
    "Plan",
    "Planned",
    "Record",
    "Replayed",
    "SeedFinished",
    "SeedStarted",
    "SeedToRun",
    "Stopping",
    "WaitsForTiming",
    "Warned",
    "bundles_of",
    "code_of",
    "discover",
    "experiment_of",
    "experiment_of_figure",
    "forecast",
    "is_readers_own",
    "kept_timeouts",
    "load_evidence",
    "load_ledger",
    "load_library_evidence",
    "load_machine",
    "load_reference_evidence",
    "machine_name",
    "paper_folders",
    "plan_next",
    "replay",
    "run",
    "save_reference",
    "start_engine",
    "this_environment",
    "this_machine",
    "this_place",
]
