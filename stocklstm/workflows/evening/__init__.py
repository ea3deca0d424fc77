"""evening: all that a line of cron has to do, and when it has to run."""
