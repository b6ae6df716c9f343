#!/bin/sh
# Write a software bill of materials from the lock file: sbom.sh <virtual environment> <file> …
#
# What an installation is made of, not what it is developed with; the hashes are those that pip
# demands. The same lock file makes the same bytes.
set -eu

python=$1/bin/python
file=$2
shift 2
"$python" -W ignore::UserWarning -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
    --short-PURLs --output-file "$file" "$@" requirements.lock
