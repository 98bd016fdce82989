"""One module per place where people save things."""
