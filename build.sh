#!/usr/bin/env bash
# Builds, serves and tests SDIC in the browser.
#
#   ./build.sh [serve]   build, then serve the page on a local address (PORT=8080 by default)
#   ./build.sh build     build the page into dist/: static files that any host can serve
#   ./build.sh check     formatting, lints and types only
#   ./build.sh test      check, the native tests, and the page driven in a real Chromium
#
# Needs: Rust (rustup), Node 20 or newer. Everything else is fetched into the build's own folders.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly cache="${XDG_CACHE_HOME:-$HOME/.cache}/sdic"
readonly target="${CARGO_TARGET_DIR:-$PWD/target}"
readonly triple=wasm32-unknown-unknown
readonly modules=www/node_modules

say()  { printf '\033[1m==>\033[0m %s\n' "$*"; }
warn() { printf 'build.sh: %s\n' "$*" >&2; }
die()  { warn "$*"; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }

need_rust() {
  command -v cargo >/dev/null || die "cargo not found: install Rust from https://rustup.rs, then run this again"
}

need_wasm_target() {
  need_rust
  [ -d "$(rustc --print sysroot)/lib/rustlib/$triple" ] && return
  command -v rustup >/dev/null || die "the Rust target $triple is missing and there is no rustup to add it"
  say "adding the Rust target $triple"
  rustup target add "$triple"
}

need_node() {
  command -v node >/dev/null || die "node not found: install Node.js 20 or newer, then run this again"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || die "Node.js 20 or newer is needed, found $(node --version)"
}

need_node_packages() {
  need_node
  cmp -s www/package-lock.json "$modules/.installed-lock" && return
  say "installing the page's development packages"
  (cd www && npm ci --loglevel=error)
  cp www/package-lock.json "$modules/.installed-lock"
}

# Debian packages that only root can add; without root the command that misses them says so.
apt_install() {
  is_root && command -v apt-get >/dev/null || return 1
  say "installing $*"
  { apt-get install -y --no-install-recommends "$@" || { apt-get update && apt-get install -y --no-install-recommends "$@"; }; } >/dev/null
}

need_chromium() {
  [ -n "${CHROMIUM:-}" ] || CHROMIUM="$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)"
  if [ -z "$CHROMIUM" ]; then
    apt_install chromium || die "no Chromium found: install one, or set CHROMIUM to its path"
    CHROMIUM="$(command -v chromium)"
  fi
  export CHROMIUM
}

need_vulkan() {
  compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null && return
  apt_install libvulkan1 mesa-vulkan-drivers || warn "no Vulkan driver found: the native wgpu tests will fail without one"
}

# Prints the path of the wasm-bindgen tool of exactly the version in Cargo.lock, building it once if needed.
wasm_bindgen() {
  local version root
  version="$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)"
  [ -n "$version" ] || die "Cargo.lock names no wasm-bindgen"
  if [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $version" ]; then command -v wasm-bindgen; return; fi
  root="$cache/tools-$version"
  if [ ! -x "$root/bin/wasm-bindgen" ]; then
    say "building wasm-bindgen $version (some minutes, once)" >&2
    cargo install wasm-bindgen-cli --version "$version" --root "$root" --target-dir "$root/target" --quiet >&2
    rm -rf "$root/target"
  fi
  echo "$root/bin/wasm-bindgen"
}

# Tells builds of the same sources by the same compiler apart from others.
sources() {
  { find src -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; sha256sum Cargo.toml Cargo.lock build.sh; rustc --version; } | sha256sum
}

# cargo for the browser: on_wasm VERB [CARGO FLAGS]
on_wasm() {
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-C target-feature=+simd128" CARGO_TARGET_DIR="$target" \
    cargo "$1" --release --lib --target "$triple" --no-default-features "${@:2}"
}

# package NAME [CARGO FLAGS]: the crate as wasm in www/pkg/NAME, unless it is there already: cargo would compile it anew
# whenever the features change. wasm-opt is left out: measured on the CPU engine, it made the file 8 % smaller raw but
# 10 % larger gzipped, no faster, and cost a minute.
package() {
  local name="$1" out="www/pkg/$1" tool stamp
  shift
  stamp="$(sources)"
  [ "$stamp" != "$(cat "$out/.stamp" 2>/dev/null)" ] || return 0
  say "compiling the $name engine"
  on_wasm build "$@"
  tool="$(wasm_bindgen)"
  rm -rf "$out"
  "$tool" --target web --remove-name-section --out-dir "$out" "$target/$triple/release/sdic.wasm"
  echo "$stamp" > "$out/.stamp"
}

build() {
  need_wasm_target
  need_node_packages
  package cpu
  package webgpu --features wgpu
  node www/tools/assemble.mjs dist
}

check() {
  need_rust
  need_node_packages
  say "formatting and lints"
  cargo fmt --check
  CARGO_TARGET_DIR="$target" cargo clippy --release --all-targets -- -D warnings
  need_wasm_target
  on_wasm clippy -- -D warnings
}

types() {
  say "types of the page"
  "$modules/.bin/tsc" --project www/tsconfig.json
  "$modules/.bin/tsc" --project www/tsconfig.worker.json
  echo "types: ok"
}

run_tests() {
  check
  build
  types
  need_vulkan
  say "native tests"
  CARGO_TARGET_DIR="$target" cargo test --release
  need_chromium
  say "page tests in $("$CHROMIUM" --version)"
  node --test --test-concurrency=1 tests/page/*.test.mjs
}

case "${1:-serve}" in
  serve) build; exec node www/tools/serve.mjs dist --port "${PORT:-8080}" ;;
  build) build ;;
  check) check; build; types ;;
  test)  run_tests ;;
  *)     sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
