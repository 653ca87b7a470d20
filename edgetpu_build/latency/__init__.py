"""How long an inference takes: arithmetic on operators and a few constants fitted to published measurements.

``work`` says what an operator asks of the chip, ``model`` adds that up for one device, ``pipeline`` for several.
Nothing here runs a model or reads a clock. docs/explanation/latency.md tells how it was fitted and where not to trust
it.
"""
