"""Print .env.example with a fresh secret for each ``<random>``; ``make .env`` keeps it."""

import re
import secrets
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / ".env.example"

if __name__ == "__main__":
    text = EXAMPLE.read_text(encoding="utf-8")
    # SMPP allows eight characters, a database or broker password any number.
    text = text.replace("<random8>", secrets.token_urlsafe(6))
    sys.stdout.write(re.sub("<random>", lambda _: secrets.token_urlsafe(30), text))
