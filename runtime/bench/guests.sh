#!/usr/bin/env bash
# Makes strategies in other languages for the bench, as an integrator would, from the templates.
#
#   runtime/bench/guests.sh FOLDER      FOLDER gets LANGUAGE.wasm of each language whose tools are in .tools
#
# A language without its tools is skipped, loudly. What is there is kept for as long as the program is the same.
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
selaras=$root/target/release/selaras
mkdir -p "$1"
folder=$(cd "$1" && pwd)
export PATH=$root/.tools/js/node_modules/.bin:$root/.tools/python/bin:$PATH
[ -x "$root/.tools/c/bin/clang" ] && export CLANG=$root/.tools/c/bin/clang

for lang in c js python; do
  [ "$folder/$lang.wasm" -nt "$selaras" ] && continue
  rm -rf "$folder/$lang.wasm" "$folder/guest_$lang"
  if said=$(cd "$folder" && "$selaras" plugin new "guest_$lang" --kind strategy --lang "$lang" 2>&1 &&
    cd "guest_$lang" && "$selaras" plugin build 2>&1); then
    mv "$folder/guest_$lang/guest_$lang.wasm" "$folder/$lang.wasm"
  else
    printf 'bench: SKIPPED guests in %s: %s\n' "$lang" "$(tail -1 <<<"$said")" >&2
  fi
  rm -rf "$folder/guest_$lang"
done
