"""Text to sound files that a switch can play."""
