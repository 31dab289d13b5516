"""Programs to start from; they are not part of the package."""
