#!/bin/sh
# SPDX-License-Identifier: MIT
# format.sh CLANG-FORMAT ROOT - every C file below ROOT is as clang-format wants it.
set -eu
format=$1
cd "$2"
find src tests fuzz bench -name '*.[ch]' 2>/dev/null | sort | xargs "$format" --dry-run -Werror
