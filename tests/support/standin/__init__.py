"""Stands in for `edgetpu_compiler`: ``program`` replays what a recording holds; ``recording`` makes recordings."""
