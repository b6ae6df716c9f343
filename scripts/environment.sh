#!/bin/sh
# Make or refresh the virtual environment: environment.sh <folder> <lock file>
#
# Installs what the lock file names, by hash, and only when the lock file has changed since.
set -eu

folder=$1
lock=$2
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

find_python() {
    for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "Python 3.11 or newer is needed; install it, or name it: make PYTHON=/path/to/python3 …"
}

# Debian splits venv off Python; it is as much a part of Python to us as RabbitMQ of the system.
provide_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    version=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    advice="Python's venv module is missing; run: sudo apt-get install $version"
    command -v apt-get >/dev/null || fail "Python's venv module is missing; install it."
    become=
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || fail "$advice"
        become="sudo -n"
    fi
    $become apt-get install -y --no-install-recommends "$version" || fail "$advice"
}

if [ ! -x "$folder/bin/python" ]; then
    python=$(find_python)
    provide_venv "$python"
    printf 'Making %s with %s\n' "$folder" "$("$python" --version)"
    "$python" -m venv "$folder"
fi

stamp=$folder/.$(basename "$lock")
if ! cmp -s "$lock" "$stamp"; then
    printf 'Installing %s\n' "$(basename "$lock")"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --requirement "$lock" || fail "Could not install $lock."
    cp "$lock" "$stamp"
    # What the development lock names includes the other.
    [ "$(basename "$lock")" = requirements-dev.lock ] && cp "$root/requirements.lock" "$folder/.requirements.lock"
fi

# The code is used where it lies: no build, nothing to refresh after an edit.
packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$root" >"$packages/rapport.pth"
printf '#!/bin/sh\nexec "%s/bin/python" -m crmkit "$@"\n' "$(CDPATH='' cd -- "$folder" && pwd)" >"$folder/bin/crm"
chmod +x "$folder/bin/crm"
touch "$stamp"
