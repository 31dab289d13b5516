"""One module for each command of `guide`; what is heavy is imported when a command runs."""
