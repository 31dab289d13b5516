"""What is known, and the words for it: records, settings, errors, the store and its lexical index."""
