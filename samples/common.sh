# Sourced by samples/run and samples/record.
# shellcheck shell=bash disable=SC2034 # they use what it sets
set -euo pipefail

root=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/..")
samples=$root/samples
programs=$root/build/release/bin

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# Installs what is missing and builds the programs in $programs.
build_programs() {
  "$root/.ci/install-packages"
  (
    cd "$root"
    cmake --preset release -DCMAKE_CXX_COMPILER_LAUNCHER="$(command -v ccache || true)"
    cmake --build --preset release --target fdcapture fdanalyze fdmortem-demo
  )
}

# What this shell has started gets signal $2 when it ends, and the directory $1 goes.
clean_up_at_exit() {
  # shellcheck disable=SC2064 # the values of now
  trap "end_started $2; rm -rf '$1'" EXIT
  trap 'exit 1' INT TERM HUP
}

# jobs lists only children that still run, so no pid can be somebody else's by now.
end_started() {
  local pid
  for pid in $(jobs -pr); do
    kill -s "$1" "$pid" 2> /dev/null || true
  done
  wait
}

# A server must not inherit what was open here by chance: its fds are what the archives are about.
close_other_fds() {
  local fd
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    ((fd <= 2 || fd == 255)) || exec {fd}>&-  # 255 is the script
  done
}

# Waits until somebody listens on the port.
wait_for_port() {
  for ((i = 0; i < 100; i++)); do
    [[ -z $(ss -Hltn "sport = :$1") ]] || return 0
    sleep 0.1
  done
  fail "nobody listens on port $1"
}
