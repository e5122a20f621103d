# Sourced by the scripts beside it: makes the virtual environments that they run in.
# An environment holds exactly what its lock files name, each file checked against its hash. It is stamped with what it
# was made from: unchanged, it costs nothing; changed, it is made anew.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { printf '%s\n' "$*" >&2; }
heading() { printf '\n== %s\n' "$*"; }
fail() {
    say "error: $*"
    exit 1
}

# The first Python that is new enough: $PYTHON if it is set, else python3, else a versioned name.
find_python() {
    local candidate candidates=(python3 python3.14 python3.13 python3.12 python3.11)
    if [[ ${PYTHON:-} ]]; then candidates=("$PYTHON"); fi
    for candidate in "${candidates[@]}"; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    fail "Runstead needs Python 3.11 or newer; ${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1 || true)." \
        "Install one, or name it: PYTHON=/path/to/python3 $0"
}

# digest PYTHON TEXT FILE...: one hash over a text and the contents of some files.
digest() {
    "$1" - "${@:2}" <<'PY'
import hashlib, pathlib, sys
seen = hashlib.sha256(f"{sys.version}{sys.argv[1]}".encode())
for name in sys.argv[2:]:
    seen.update(pathlib.Path(name).read_bytes())
print(seen.hexdigest())
PY
}

# stamped FILE STAMP: whether what the file stands for was made from exactly this.
stamped() { [[ -f $1 && $(<"$1") == "$2" ]]; }

# make_environment NAME LOCK...: the environment $root/NAME with what the locks name.
make_environment() {
    local dir=$root/$1 lock files=() requirements=() python stamp
    shift
    for lock in "$@"; do
        files+=("$root/requirements/$lock.txt")
        requirements+=(--requirement "$root/requirements/$lock.txt")
    done
    python=$(find_python)
    stamp=$(digest "$python" "$dir" "${files[@]}")
    if stamped "$dir/.stamp" "$stamp"; then return; fi
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$python has no venv module. On Debian and Ubuntu: apt install python3-venv"
    say "Preparing ${dir#"$root/"} from requirements/: $*"
    "$python" -m venv --clear "$dir"
    "$dir/bin/python" -m pip install --quiet --require-hashes --only-binary :all: "${requirements[@]}"
    printf '%s\n' "$stamp" >"$dir/.stamp"
}

# install_project NAME: this checkout, editable, in an environment whose locks include the build backend.
install_project() {
    local dir=$root/$1 stamp
    stamp=$(digest "$dir/bin/python" "$dir" "$dir/.stamp" "$root/pyproject.toml")
    if stamped "$dir/.project-stamp" "$stamp"; then return; fi
    "$dir/bin/python" -m pip install --quiet --no-deps --no-build-isolation --no-index --editable "$root"
    printf '%s\n' "$stamp" >"$dir/.project-stamp"
}

# alone NAME COMMAND...: run a command that makes an environment while no other script makes the same one.
alone() {
    if command -v flock >/dev/null; then
        (
            flock 9
            "${@:2}" 9>&-
        ) 9>"$root/$1.lock"
    else
        "${@:2}"
    fi
}

# The environment of scripts/check and scripts/test: the whole server, the tools, the newest client.
development_environment() {
    make_environment .venv dev
    install_project .venv
}

# The environment of scripts/demo: what a user installs, and the official client.
demo_environment() {
    make_environment .venv-demo demo build
    install_project .venv-demo
}
