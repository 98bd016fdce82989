"""The bundled library: a reading list and a topic page, as package data. `studiolo init` copies it."""
