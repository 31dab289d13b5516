"""Models on this machine: loading, generating, scoring, training."""
