"""What the services know of a work."""
