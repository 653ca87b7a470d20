"""Google's `edgetpu_compiler` as a backend: reached, run in a private folder, read, checked and translated.

``backend`` is what the rest of the project sees. It asks ``command`` for the words to start it with, lets ``session``
run it, ``transcript`` read what it printed and ``reading`` what it wrote, and ``translate`` say why it failed.
"""
