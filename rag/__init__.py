"""Question to answer: retrieval, quotes, citations, comparison."""
