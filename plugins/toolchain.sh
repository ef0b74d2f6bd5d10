#!/usr/bin/env bash
# Finds or makes a compiler that can build the plugins (wasm32-unknown-unknown), and writes its path to env.sh.
#
#   plugins/toolchain.sh [PREFIX]      PREFIX is plugins/.toolchain unless given; then: . PREFIX/env.sh
#
# In this order: the rustc at hand has the target; rustup can add it; else Debian's rustc-web with a standard library built
# from its own source, all under PREFIX, nothing installed. FORCE_DEBIAN=1 goes straight to the last. Run again any time:
# what is there is kept.
set -euo pipefail

target=wasm32-unknown-unknown
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:-$here/.toolchain}"
prefix=$(cd "${1:-$here/.toolchain}" && pwd)

say() { printf 'plugins: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

has_target() {
  local libs
  libs=$("$1" --print target-libdir --target "$target" 2>/dev/null) || return 1
  compgen -G "$libs/libcore-*.rlib" >/dev/null
}

use() {
  printf "export GUEST_RUSTC='%s'\n" "$1" >"$prefix/env.sh.new"
  # A file that already says so keeps its time: the runtime's build watches it.
  if cmp -s "$prefix/env.sh.new" "$prefix/env.sh"; then rm "$prefix/env.sh.new"; else mv "$prefix/env.sh.new" "$prefix/env.sh"; fi
  say "they build with $("$1" --version)"
  exit 0
}

command -v rustc >/dev/null && command -v cargo >/dev/null || die "rustc and cargo are needed: install Rust first"

if [ -z "${FORCE_DEBIAN:-}" ]; then
  rustc=$(rustc --print sysroot)/bin/rustc
  [ -x "$rustc" ] || rustc=$(command -v rustc)
  has_target "$rustc" && use "$rustc"
  if command -v rustup >/dev/null; then
    say "adding the $target target with rustup"
    timeout 120 rustup target add "$target" >&2 || say "rustup could not add it"
    has_target "$rustc" && use "$rustc"
  fi
fi

[ -x "$prefix/rustc" ] && has_target "$prefix/rustc" && use "$prefix/rustc"

say "making a compiler from Debian's rustc-web under $prefix; this takes a few minutes"
for tool in apt-get apt-cache dpkg; do
  command -v "$tool" >/dev/null ||
    die "$tool is missing: on a system without it, add the $target target to your Rust toolchain by hand"
done
if ! apt-cache show rustc-web >/dev/null 2>&1; then
  apt-get update -qq >&2 || die "there is no package list for rustc-web: run \`apt-get update\` as root"
  apt-cache show rustc-web >/dev/null 2>&1 || die "this system has no rustc-web: add the $target target to your Rust toolchain by hand"
fi

root=$prefix/root/usr
rm -rf "$prefix/root" "$prefix/debs" "$prefix/std" "$prefix/rustc"
mkdir -p "$prefix/root" "$prefix/debs" "$prefix/std/src"

# The one dependency of package $1 whose name starts with $2: its version is part of its name.
dependency() { apt-cache depends --important "$1" | sed -n "s/.*Depends: \($2[0-9.]*\)$/\1/p" | head -1; }
std=$(dependency libstd-rust-web-dev libstd-rust-web-)
llvm=$(dependency "$std" libllvm)
[ -n "$std" ] && [ -n "$llvm" ] || die "rustc-web's libraries were not found among its dependencies"
(
  cd "$prefix/debs"
  apt-get download -qq rustc-web libstd-rust-web-dev rust-web-src "$std" "$llvm" >&2
  for package in *.deb; do dpkg -x "$package" "$prefix/root"; done
)
rm -rf "$prefix/debs"

libs=$(compgen -G "$root/lib/*-linux-gnu*" | head -1)
cat >"$prefix/rustc" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH="$libs\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "$root/bin/rustc" "\$@"
WRAPPER
chmod +x "$prefix/rustc"

# The linker comes from the toolchain at hand: Debian's package has none of its own.
host=$(rustc -vV | sed -n 's/^host: //p')
tools=$root/lib/rustlib/$host/bin
given=$(rustc --print sysroot)/lib/rustlib/$host/bin
mkdir -p "$tools"
if [ -e "$given/rust-lld" ]; then
  for tool in rust-lld gcc-ld wasm-component-ld; do
    if [ -e "$given/$tool" ]; then ln -sfn "$given/$tool" "$tools/$tool"; fi
  done
else
  lld=$(command -v wasm-ld || command -v lld) || die "no linker for wasm: install the package lld"
  ln -sfn "$lld" "$tools/rust-lld"
fi

say "building the standard library for $target"
: >"$prefix/std/src/lib.rs"
printf '[package]\nname = "stdbuild"\nversion = "0.0.0"\n[workspace]\n' >"$prefix/std/Cargo.toml"
(
  cd "$prefix/std"
  env -u RUSTC_WRAPPER -u RUSTC_WORKSPACE_WRAPPER RUSTC="$prefix/rustc" RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
    cargo build -q --release -Zbuild-std=std,panic_abort --target "$target" --target-dir target >&2
)
library=$root/lib/rustlib/$target/lib
mkdir -p "$library"
find "$prefix/std/target/$target/release/deps" -name 'lib*.rlib' ! -name 'libstdbuild*' -exec cp {} "$library/" \;
rm -rf "$prefix/std"

has_target "$prefix/rustc" || die "the standard library did not end up where rustc looks for it"
use "$prefix/rustc"
