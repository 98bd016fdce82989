"""The reader's state: works, inbox, reading state, adding to a list, exporting."""
