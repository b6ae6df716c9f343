"""``make bench``: measures what docs/performance.md promises; a module ``b<number>`` a figure."""
