"""Build at every change: `events` says that something may have changed, `seen` whether it has, `loop` builds."""
