#!/bin/sh
# Write requirements.lock and requirements-dev.lock from pyproject.toml: lock.sh <python>
#
# Exact versions with hashes and without the address of any index, so that everybody installs the
# same files from wherever their pip looks.
set -eu

python=$1
"$python" -m piptools --version >/dev/null 2>&1 || "$python" -m pip install --quiet pip-tools

compile() {
    CUSTOM_COMPILE_COMMAND="make lock" "$python" -m piptools compile --quiet \
        --generate-hashes --strip-extras --allow-unsafe --no-annotate \
        --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
        "$@" pyproject.toml
}

compile --output-file requirements.lock
compile --extra dev --constraint requirements.lock --output-file requirements-dev.lock
