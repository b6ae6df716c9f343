"""Say which committed lines look like secrets and are none that known_secrets.toml explains.

detect-secrets' own baseline would have to be written anew whenever a line moves, and has no room
for reasons. Of its plugins, those that look for services nobody uses here are left out: each costs
time on every line. Files without findings are remembered by their hash.
"""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from detect_secrets.core.scan import scan_file
from detect_secrets.settings import configure_settings_from_baseline, get_settings

KNOWN = Path(__file__).with_name("known_secrets.toml")
PLUGINS = (
    {"name": "AWSKeyDetector"},
    {"name": "Base64HighEntropyString", "limit": 4.5},
    {"name": "BasicAuthDetector"},
    {"name": "GitHubTokenDetector"},
    {"name": "HexHighEntropyString", "limit": 3.0},
    {"name": "JwtTokenDetector"},
    {"name": "KeywordDetector", "keyword_exclude": ""},
    {"name": "PrivateKeyDetector"},
)
FILTERS = (
    "allowlist.is_line_allowlisted",
    "heuristic.is_indirect_reference",
    "heuristic.is_likely_id_string",
    "heuristic.is_not_alphanumeric_string",
    "heuristic.is_prefixed_with_dollar_sign",
    "heuristic.is_sequential_string",
    "heuristic.is_templated_secret",
)
SETTINGS = {
    "plugins_used": list(PLUGINS),
    "filters_used": [{"path": f"detect_secrets.filters.{name}"} for name in FILTERS],
}
# Full of hashes, and nothing in them was written by hand; the table of what is known, pictures.
LEFT_OUT = ("*.lock", "*.png", f"scripts/{KNOWN.name}")


CLEAN = Path(".mypy_cache", "no_secrets.json")
Finding = tuple[str, str, int, str]


def set_up() -> None:
    """Use our settings in this process from here on."""
    get_settings().clear()
    configure_settings_from_baseline(SETTINGS)


def found_in(name: str) -> list[Finding]:
    """File, value, line and kind of what looks like a secret in a file."""
    return [(name, str(one.secret_value), one.line_number, one.type) for one in scan_file(name)]


def digest(name: str) -> str:
    """What stands for a file looked at in this way."""
    return hashlib.sha256(repr(SETTINGS).encode() + Path(name).read_bytes()).hexdigest()


def found(names: list[str]) -> list[Finding]:
    """What looks like a secret in any of the files."""
    digests = {name: digest(name) for name in names}
    clean = set(json.loads(CLEAN.read_text())) if CLEAN.is_file() else set()
    unknown = [name for name in names if digests[name] not in clean]
    with ProcessPoolExecutor(os.cpu_count(), initializer=set_up) as pool:
        findings = [one for several in pool.map(found_in, unknown, chunksize=8) for one in several]
    dirty = {one[0] for one in findings}
    CLEAN.parent.mkdir(exist_ok=True)
    CLEAN.write_text(json.dumps([digests[name] for name in names if name not in dirty]))
    return findings


def main() -> int:
    """0 when everything found is known; what is known and not found any more is only named."""
    listing = ["git", "ls-files", "-z", "--", *(f":!{one}" for one in LEFT_OUT)]
    listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout  # noqa: S603
    findings = found([name for name in listed.split("\0") if Path(name).is_file()])
    known = tomllib.loads(KNOWN.read_text())
    new = [one for one in findings if one[1] not in known.get(one[0], {})]
    for name, _, line, kind in new:
        sys.stderr.write(f"{name}:{line}: {kind}. Remove it, or explain it in {KNOWN.name}.\n")
    seen = {one[:2] for one in findings}
    gone = [(name, value) for name in known for value in known[name] if (name, value) not in seen]
    for name, value in gone:
        sys.stderr.write(f"{KNOWN.name}: {value!r} is not in {name} any more.\n")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
