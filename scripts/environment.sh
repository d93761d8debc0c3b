#!/bin/sh
# Make the environment in .venv, or complete it, so that it holds what the named requirements list; quick when it does.
#
#   scripts/environment.sh serve|gpu|bento|bento-gpu|train|train-gpu|dev|bench
#
# PYTHON names the Python to use (otherwise the first supported one is looked for). Every trouble is one sentence.
set -eu
cd "$(dirname "$0")/.."

VENV=.venv
SUPPORTED="3.11 3.12 3.13"
UV="uv==0.13.9"

say() { echo "lungcare: $*" >&2; }
fail() { say "$*"; exit 2; }

version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true; }
supported() { case " $SUPPORTED " in *" ${1:-none} "*) return 0 ;; *) return 1 ;; esac; }

files_of() {
    case $1 in
        serve) echo requirements.txt ;;
        gpu) echo requirements-gpu.txt ;;
        bento) echo requirements.txt requirements-bento.txt ;;
        bento-gpu) echo requirements-gpu.txt requirements-bento.txt ;;
        train) echo requirements.txt requirements-train.txt ;;
        train-gpu) echo requirements-gpu.txt requirements-train.txt ;;
        dev) echo requirements.txt requirements-bento.txt requirements-train.txt requirements-dev.txt ;;
        bench) echo "$(files_of dev) requirements-bench.txt" ;;
        *) fail "there are no requirements called '$1'." ;;
    esac
}

# What also lies in the environment once these requirements are installed.
parts_of() {
    case $1 in
        serve | gpu) echo "$1" ;;
        bento) echo serve bento ;;
        bento-gpu) echo gpu bento-gpu ;;
        train) echo serve train ;;
        train-gpu) echo gpu train-gpu ;;
        dev) echo serve bento train dev ;;
        bench) echo "$(parts_of dev) bench" ;;
    esac
}

flavour_of() { case $1 in *gpu) echo gpu ;; *) echo cpu ;; esac; }

checksum() {
    files=$(files_of "$1") || exit
    # shellcheck disable=SC2086 # file names without spaces
    cat $files | cksum
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        supported "$(version "$PYTHON")" ||
            fail "PYTHON=$PYTHON is no Python that TensorFlow 2.21 supports; it needs one of $SUPPORTED."
        echo "$PYTHON"
        return
    fi
    for name in python3 python3.11 python3.12 python3.13 python; do
        if supported "$(version "$name")"; then
            echo "$name"
            return
        fi
    done
    found=$(version python3)
    fail "TensorFlow 2.21 needs Python $SUPPORTED and there is ${found:-none} here; install one and run: make serve PYTHON=python3.11"
}

# uv installs in seconds what takes pip minutes; it is used where it works.
uv_of() {
    if uv --version >/dev/null 2>&1; then echo uv; return; fi
    if "$1" -m uv --version >/dev/null 2>&1; then echo "$1 -m uv"; fi
}

make_venv() {
    python=$(find_python)
    say "making $VENV with Python $(version "$python")."
    rm -rf "$VENV"
    if ! "$python" -m venv "$VENV" >/dev/null 2>&1; then
        rm -rf "$VENV"
        uv=$(uv_of "$python")
        [ -n "$uv" ] || fail "Python's venv module does not work; on Debian: apt install python3-venv"
        $uv venv --quiet --python "$python" "$VENV" || fail "uv could not make $VENV."
    fi
}

install() {
    last=$(files_of "$1" | tr ' ' '\n' | tail -n 1)
    set -- "$1" -r "$last"
    # Training and development requirements stand beside those of serving, not above them.
    case $1 in
        bento | train) set -- "$@" -r requirements.txt ;;
        bento-gpu | train-gpu) set -- "$@" -r requirements-gpu.txt ;;
    esac
    shift
    uv=$(uv_of "$VENV/bin/python")
    if [ -z "$uv" ] && "$VENV/bin/python" -m pip install --quiet "$UV" >/dev/null 2>&1; then
        uv="$VENV/bin/python -m uv"
    fi
    if [ -n "$uv" ] && $uv pip install --quiet --compile-bytecode --python "$VENV/bin/python" "$@"; then return; fi
    "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || fail "the packages could not be installed; see above."
    "$VENV/bin/python" -m pip install --quiet "$@" || fail "the packages could not be installed; see above."
}

set="${1:?which requirements: serve, gpu, bento, bento-gpu, train, train-gpu, dev or bench}"
stamp="$VENV/.lungcare-$set"
wanted=$(checksum "$set")

if [ -f "$VENV/.lungcare-unfinished" ]; then
    say "the environment in $VENV was left half-made."
    rm -rf "$VENV"
elif [ -e "$VENV" ] && ! supported "$(version "$VENV/bin/python")"; then
    say "the environment in $VENV has no working Python of $SUPPORTED."
    rm -rf "$VENV"
elif [ -f "$VENV/.lungcare-flavour" ] && [ "$(cat "$VENV/.lungcare-flavour")" != "$(flavour_of "$set")" ]; then
    say "the environment in $VENV has TensorFlow for $(cat "$VENV/.lungcare-flavour"), not for $(flavour_of "$set")."
    rm -rf "$VENV"
elif [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi

if [ ! -e "$VENV" ]; then
    make_venv
fi
touch "$VENV/.lungcare-unfinished"
say "installing the requirements ($set); this takes a minute or two, once."
install "$set"
flavour_of "$set" >"$VENV/.lungcare-flavour"
for part in $(parts_of "$set"); do checksum "$part" >"$VENV/.lungcare-$part"; done
rm "$VENV/.lungcare-unfinished"
