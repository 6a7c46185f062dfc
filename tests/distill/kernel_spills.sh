#!/usr/bin/env bash
# Usage: kernel_spills.sh NVCC SOURCE_ROOT FILE.cu ARCH OUT_FOLDER
# Compiles a kernel file for an architecture and asks ptxas about every kernel in it: none may keep registers in memory.
# Exit: 0 so, 1 not, 77 (skipped) there is no nvcc.
set -euo pipefail
nvcc=$1 root=$2 file=$3 arch=$4 out=$5
[ -x "$nvcc" ] || { echo "skipped: no nvcc"; exit 77; }
said=$("$nvcc" -std=c++17 -cubin "-arch=$arch" --fmad=false -Werror all-warnings -Xptxas -v "-I$root" "$root/$file" \
  -o "$out/$(basename "$file" .cu)_$arch.cubin" 2>&1) || { echo "$said"; exit 1; }
kernels=$(grep -c 'Compiling entry function' <<<"$said" || true)
spilled=$(grep 'bytes spill' <<<"$said" | grep -vc ' 0 bytes spill stores, 0 bytes spill loads' || true)
most=$(grep -o 'Used [0-9]* registers' <<<"$said" | tr -dc '0-9\n' | sort -n | tail -n 1)
echo "$file, $arch: $kernels kernels, at most $most registers, $spilled with spills"
[ "$kernels" -gt 0 ] || { echo "ptxas said nothing of kernels"; exit 1; }
[ "$spilled" = 0 ] || { grep -B 2 'bytes spill' <<<"$said" | grep -B 2 -E ' [1-9][0-9]* bytes spill' | grep -E 'Function|spill'; exit 1; }
