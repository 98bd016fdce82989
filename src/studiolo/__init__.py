"""Studiolo: a reading list you can run.

Two wings and a face. Reading (`lists`, `net`, `sources`, `metadata`, `library`) gathers papers into one
Markdown list. Running (`claims`, `runs`, `measure`, `data`, `train`, `nn`, `papers`) re-measures what they claim.
The face (`report`, `cli`) joins the two. Importing `studiolo` loads none of them.
"""

__version__ = "0.1.0"
