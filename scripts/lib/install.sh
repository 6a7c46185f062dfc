# shellcheck shell=bash disable=SC2034,SC2154 # variables cross from file to file
# need_packages GROUP...: installs what scripts/lib/packages lists for the groups, and does nothing when all is there.
# Sets `reused` to yes when there was nothing to do.

listed_packages() {
  local group
  for group in "$@"; do
    awk -v g="$group" '$1 == g { print $2 }' "$lib/packages"
  done
}

missing_packages() {
  local package
  local -A installed=()
  while read -r package; do
    installed[$package]=1
  done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
  for package in $(listed_packages "$@"); do
    [ -n "${installed[$package]:-}" ] || printf '%s\n' "$package"
  done
}

need_packages() {
  local log=$root/build/packages.log missing
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    note "no apt-get here, so nothing is installed; scripts/lib/packages lists what the build needs"
    reused=yes
    return
  fi
  mapfile -t missing < <(missing_packages "$@")
  if [ ${#missing[@]} -eq 0 ]; then
    say "      all $(listed_packages "$@" | wc -l) packages are installed"
    reused=yes
    return
  fi
  local command="apt-get install -y --no-install-recommends ${missing[*]}"
  [ "$(id -u)" -eq 0 ] || die "only root can install what is missing; run: sudo $command"
  mkdir -p "$root/build"
  say "      installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  if ! apt-get update >"$log" 2>&1; then
    say "      apt-get update failed; going on with the package lists at hand"
  fi
  if ! $command >>"$log" 2>&1 </dev/null; then
    if grep -qE 'Temporary failure resolving|Could not connect|Failed to fetch' "$log"; then
      die "the Debian mirrors cannot be reached: check the network, then run this again (all of apt's output: $log)"
    fi
    grep -E '^(E|W):' "$log" | head -n 5 >&2
    die "apt-get could not install them: this needs Debian 12 (bookworm) with its main archive (all of apt's output: $log)"
  fi
}
