"""What the commands do, a room each: results are frozen, and nothing talks to a terminal."""
