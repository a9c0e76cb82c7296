#!/usr/bin/env bash
# Runs fuzz targets on the corpus and on what libFuzzer makes of it: fuzz/smoke.sh [SECONDS [TARGET...]]
# The target `service` is run where it is named alone: a whole service takes minutes to build.
set -euo pipefail
cd "$(dirname "$0")/targets"
seconds=${1:-10}
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(chunks reference unpack scenario template history capture)

if ! command -v c++ >/dev/null; then
  echo "fuzz smoke skipped: libFuzzer needs a C++ compiler, and there is none"
  exit 0
fi

# What cargo-fuzz would set, without a sanitizer: coverage counters, and every assertion and overflow check on.
host=$(rustc -vV | sed -n 's/^host: //p')
flags="--cfg fuzzing -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1 -Cpasses=sancov-module"
for part in level=4 inline-8bit-counters pc-table trace-compares; do
  flags+=" -Cllvm-args=-sanitizer-coverage-$part"
done
features=()
options=()
if [[ " ${targets[*]} " == *" service "* ]]; then
  features=(--features service)
  # Its inputs are decisions: short ones leave most of them undecided.
  options=(-len_control=0 -max_len=256)
fi
RUSTFLAGS=$flags cargo build --release --target "$host" "${features[@]}" $(printf -- '--bin %s ' "${targets[@]}")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for target in "${targets[@]}"; do
  echo "=== $target, $seconds s"
  mkdir -p "$work/$target"
  folders=("$work/$target")
  if [ -d "../corpus/$target" ]; then folders+=("../corpus/$target"); fi
  "target/$host/release/$target" "${folders[@]}" "${options[@]}" \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$work/$target-" 2>"$work/log" || {
    tail -40 "$work/log"
    mkdir -p ../regressions
    cp "$work/$target"-* ../regressions/
    echo "$target failed; its input is now in fuzz/regressions"
    exit 1
  }
  grep -E '^after |Done|stat::(number_of_executed_units|peak_rss_mb)' "$work/log"
done
