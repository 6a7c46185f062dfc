# shellcheck shell=bash disable=SC2034,SC2154 # variables cross from file to file
# Sourced by every script: where the checkout is, how to speak, how to stop, how to time.
export LC_ALL=C.UTF-8 LC_NUMERIC=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lib=$root/scripts/lib
program=$(basename "$0")
jobs=$(nproc)
export CCACHE_BASEDIR=$root # presets share what they compile alike

say() { printf '%s\n' "$*"; }
note() { printf '%s: %s\n' "$program" "$*" >&2; }
die() { note "$*"; exit 1; }
usage_error() { note "$* (see scripts/$program --help)"; exit 2; }

# The comment block at the top of a script is its --help.
show_help() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }

# seconds START: since START (a value of $EPOCHREALTIME), with one decimal.
seconds() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# quiet LOG COMMAND...: on a terminal the command draws for itself; elsewhere its output goes to LOG, shown when it fails.
quiet() {
  local log=$1
  shift
  if [ -t 1 ]; then
    "$@"
  elif ! "$@" >"$log" 2>&1; then
    if grep -q '^FAILED:' "$log"; then
      sed -n '/^FAILED:/,$p' "$log" | grep -v '^ccache ' | head -n 40 >&2
    else
      tail -n 40 "$log" >&2
    fi
    note "failed: $* (all of its output: $log)"
    return 1
  fi
}

# cmake_build PRESET [ARGUMENT...]: through the preset, so that its environment counts.
cmake_build() {
  local preset=$1
  shift
  (cd "$root" && cmake --build --preset "$preset" "$@")
}
