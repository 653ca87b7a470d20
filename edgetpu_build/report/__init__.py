"""The same values for a person (human, diagnostics, progress), a program (json_form), GitHub and pull requests.

Nothing here decides anything: what happened, and why, was recorded by whoever did it.
"""
