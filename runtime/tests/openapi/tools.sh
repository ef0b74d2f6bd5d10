#!/usr/bin/env bash
# Finds or installs what the API is tried out with by its own description, into a folder of this tree and nowhere else.
#
#   runtime/tests/openapi/tools.sh [PREFIX]      PREFIX is .tools unless given
#
# Where it cannot be had it is skipped, loudly, and its test with it. Run again any time: what is there is kept.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:-$here/../../../.tools}"
prefix=$(cd "${1:-$here/../../../.tools}" && pwd)
wanted=$(cat "$here/requirements.txt")

skip() {
  printf 'openapi: SKIPPED %s: %s\n' "$wanted" "$1" >&2
  exit 0
}

[ -f "$prefix/openapi/$wanted" ] && exit 0
command -v python3 >/dev/null || skip "there is no python3: install Python 3.10 or later"
rm -rf "$prefix/openapi"
python3 -m venv "$prefix/openapi" >"$prefix/log" 2>&1 || skip "python3 -m venv does not work: $(tail -1 "$prefix/log")"
"$prefix/openapi/bin/pip" install --quiet --disable-pip-version-check "$wanted" >"$prefix/log" 2>&1 ||
  skip "pip cannot install it: $(tail -1 "$prefix/log")"
touch "$prefix/openapi/$wanted"
