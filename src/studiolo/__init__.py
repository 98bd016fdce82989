"""Studiolo: a reading list you can run.

Two wings and a face, on the ground of `errors`, `collector`, `doors` and `files`. Reading (`keys`, `lists`, `net`, `sources`,
`metadata`, `index`, `library`, `garden`) gathers papers into one Markdown list. Running (`claims`, `runs`, `measure`, `data`,
`train`, `nn`, `audit`, `papers`) re-measures what they claim. The face (`report`, `web`, `cli`, `example`) joins the two.
Importing `studiolo` loads none of them.
"""

__version__ = "0.1.0"
