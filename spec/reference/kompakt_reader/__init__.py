"""A reader of .kompakt files, written from spec/format.md and its chapters, in plain Python. Slow and clear."""
