#!/usr/bin/env bash
# Finds or installs what plugins in other languages than Rust are built with, into a folder of this tree and nowhere else.
#
#   sdk/tools.sh [PREFIX]      PREFIX is .tools unless given
#
# Each language on its own: where its tools cannot be had it is skipped, loudly, and its tests with it. The versions are
# those that new projects name. Run again any time: what is there is kept.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:-$here/../.tools}"
prefix=$(cd "${1:-$here/../.tools}" && pwd)
log=$prefix/log

skip() {
  printf 'sdk: SKIPPED %s: %s\n' "$1" "$2" >&2
  return 1
}
have() { command -v "$1" >/dev/null; }

# npm's componentize-qjs.
js() {
  local version
  version=$(sed -n 's/.*"componentize-qjs": "\(.*\)".*/\1/p' "$here/templates/js/common/package.json")
  [ -f "$prefix/js/$version" ] && return
  have npm || { skip js "there is no npm: install Node.js 20 or later"; return; }
  rm -rf "$prefix/js" && mkdir -p "$prefix/js"
  npm install --silent --no-audit --no-fund --prefix "$prefix/js" "componentize-qjs@$version" >"$log" 2>&1 ||
    { skip js "npm cannot install componentize-qjs@$version: $(tail -1 "$log")"; return; }
  touch "$prefix/js/$version"
}

# PyPI's componentize-py, in an environment of its own.
python() {
  local wanted
  wanted=$(cat "$here/templates/python/common/requirements.txt")
  [ -f "$prefix/python/$wanted" ] && return
  have python3 || { skip python "there is no python3: install Python 3.10 or later"; return; }
  rm -rf "$prefix/python"
  python3 -m venv "$prefix/python" >"$log" 2>&1 || { skip python "python3 -m venv does not work: $(tail -1 "$log")"; return; }
  "$prefix/python/bin/pip" install --quiet --disable-pip-version-check "$wanted" >"$log" 2>&1 ||
    { skip python "pip cannot install $wanted: $(tail -1 "$log")"; return; }
  touch "$prefix/python/$wanted"
}

# The clang at hand with its wasm linker, or Debian's, unpacked.
c() {
  [ -x "$prefix/c/bin/clang" ] && return
  if have clang && have wasm-ld && clang --print-targets 2>/dev/null | grep -q wasm32; then
    mkdir -p "$prefix/c/bin" && ln -sfn "$(command -v clang)" "$prefix/c/bin/clang"
    return
  fi
  have apt-get && have dpkg || { skip c "there is no clang with wasm-ld: install clang and lld"; return; }
  local version root=$prefix/c/root
  version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -1)
  [ -n "$version" ] || { skip c "there is no package clang: run \`apt-get update\`, or install clang and lld"; return; }
  rm -rf "$prefix/c" && mkdir -p "$root" "$prefix/c/debs" "$prefix/c/bin"
  (
    cd "$prefix/c/debs" &&
      apt-get download -qq "clang-$version" "lld-$version" "libclang-cpp$version" "libllvm$version" "libclang-common-$version-dev" &&
      for package in *.deb; do dpkg -x "$package" "$root"; done
  ) >"$log" 2>&1 || { rm -rf "$prefix/c"; skip c "Debian's clang-$version cannot be had: $(tail -1 "$log")"; return; }
  rm -rf "$prefix/c/debs"
  local usr=$root/usr libraries
  libraries=$(compgen -G "$usr/lib/*-linux-gnu*" | head -1)
  cat >"$prefix/c/bin/clang" <<WRAPPER
#!/bin/sh
export LD_LIBRARY_PATH="$libraries:$usr/lib/llvm-$version/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
PATH="$usr/bin:$usr/lib/llvm-$version/bin:\$PATH" exec "$usr/lib/llvm-$version/bin/clang" "\$@"
WRAPPER
  chmod +x "$prefix/c/bin/clang"
  "$prefix/c/bin/clang" --version >"$log" 2>&1 || { rm -rf "$prefix/c"; skip c "Debian's clang does not run here: $(tail -1 "$log")"; }
}

for language in js python c; do "$language"; done
exit 0
