# shellcheck shell=bash disable=SC2034,SC2154 # variables cross from file to file
# Numbered steps with their time, and keys that tell whether a step's result is still good.
# The caller sets steps_dir and steps_total. A step that had nothing to do sets `reused=yes`; the time of its first run is kept.

step_number=0

run_step() {
  local name=$1 title=$2 start=$EPOCHREALTIME took
  shift 2
  step_number=$((step_number + 1))
  reused=no
  printf '[%d/%d] %s\n' "$step_number" "$steps_total" "$title"
  "$@"
  took=$(seconds "$start")
  if [ "$reused" = yes ] && [ -e "$steps_dir/$name.seconds" ]; then
    touch "$steps_dir/$name.reused"
    took=$(<"$steps_dir/$name.seconds")
    [ "${took%.*}" = 0 ] || say "      reused; it took $took s when it was done"
  else
    rm -f "$steps_dir/$name.reused"
    echo "$took" >"$steps_dir/$name.seconds"
    say "      $took s"
  fi
}

same_key() { [ -e "$steps_dir/$1.key" ] && [ "$(<"$steps_dir/$1.key")" = "$2" ]; }
keep_key() { printf '%s\n' "$2" >"$steps_dir/$1.key"; }
