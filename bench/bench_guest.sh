#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The benchmarks, as they run in the guest: see bench/run.

set -u
# shellcheck source=demo/guest_lib.sh
. demo/guest_lib.sh

args=(--plugin "$PLUGIN_DIR")
[ "${QUICK:-0}" = 1 ] && args+=(--quick)
[ -n "${ONLY:-}" ] && args+=(--only "$ONLY")
[ -n "${AMDGPU_PLUGIN:-}" ] && args+=(--amdgpu-plugin "$AMDGPU_PLUGIN")

load_modules vram_mb=1280
echo "kernel $KVER, $(criu --version | head -n 1 | sed 's/Version: /criu /'), $(nproc) CPUs"
build/bench/kfd_bench "${args[@]}"
rc=$?
if kernel_complaints; then
	echo "the kernel complained" >&2
	exit 3
fi
unload_modules || exit 3
exit $rc
