"""How the profiles of `sample_profiles/` are recorded: real programs, their load, and what may be in a profile."""
