#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh SECONDS [TARGET...] - lets each fuzz target (or the named ones) search for so
# long, in build/fuzz, which it makes with clang when it isn't there. What is found on
# the way is kept in build/fuzz/found/TARGET; what makes a target fail, in
# build/fuzz/failed, and that is the exit status too.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/fuzz
seconds=${1:?"usage: run.sh SECONDS [TARGET...]"}
shift
if [ $# -eq 0 ]; then
	set -- $(cd "$root/fuzz" && ls fuzz_*.c | sed 's/^fuzz_\(.*\)\.c$/\1/')
fi

if [ ! -f "$build/build.ninja" ]; then
	CC=${CC:-clang} meson setup "$build" "$root" -Dfuzzers=true -Dtests=false -Db_lundef=false
fi
programs=
for target; do
	programs="$programs fuzz/fuzz_$target"
done
# shellcheck disable=SC2086 # words on purpose
ninja -C "$build" $programs

failed=0
for target; do
	found=$build/found/$target
	words=$root/fuzz/dict/$target.dict
	log=$build/failed/$target.log
	mkdir -p "$found" "$build/failed"
	if "$build/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
		-print_final_stats=1 -artifact_prefix="$build/failed/$target-" \
		$([ -f "$words" ] && echo "-dict=$words") "$found" "$root/fuzz/corpus/$target" \
		>"$log" 2>&1; then
		echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, none failed"
		rm -f "$log"
	else
		tail -n 60 "$log"
		echo "$target: failed, see $log" >&2
		failed=1
	fi
done
exit $failed
