#!/usr/bin/env bash
# Builds, serves and tests SDIC in the browser.
#
#   ./build.sh [serve]                    build, then serve the page on a local address (PORT=8080 by default); the
#                                         WebGPU engine is compiled while the page runs on the processor already
#   ./build.sh build                      build the page into dist/: static files that any host can serve
#   ./build.sh package                    build the npm package into dist-npm/, with a tarball
#   ./build.sh docs                       build the documentation into dist-docs/, as a site
#   ./build.sh check [rust|page|docs|training]
#                                         formatting, lints, types, what the documentation names; without a name also
#                                         licences of dependencies
#   ./build.sh check miri                 the kernels' unsafe code under Miri; takes minutes, and a nightly toolchain
#   ./build.sh check api                  whether the crate's interface breaks who uses its latest release
#   ./build.sh fuzz NAME [SECONDS]        the fuzz target of that name, of tests/fuzz; also needs a nightly toolchain
#   ./build.sh test [native|page] [NAME]  tests whose name, or whose file of tests/page, is NAME; without a name all
#                                         checks, the native tests, and the page driven in Chromium, Firefox and
#                                         WebKit; ends by naming browsers that are missing, and fails for that, too,
#                                         if EVERY_BROWSER is set
#
# Needs: Rust (rustup), Node 20 or newer. Everything else is fetched into the build's own folders.
set -euo pipefail
shopt -s inherit_errexit
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

# from_rustup WHAT RUSTUP_ARGUMENTS...
from_rustup() {
  command -v rustup >/dev/null || die "$1 is missing and there is no rustup to add it"
  say "adding $1"
  rustup "${@:2}"
}

# What compiles for the browser, and the standard library's source: the CPU engine compiles it, too.
need_wasm() {
  local libraries
  need_rust
  libraries="$(rustc --print sysroot)/lib/rustlib"
  [ -d "$libraries/$triple" ] || from_rustup "the Rust target $triple" target add "$triple"
  [ -d "$libraries/src/rust/library" ] || from_rustup "the source of Rust's library" component add rust-src
}

need_node() {
  command -v node >/dev/null || die "node not found: install Node.js 20 or newer, then run this again"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] ||
    die "Node.js 20 or newer is needed, found $(node --version)"
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
  local install=(apt-get install -y --no-install-recommends "$@")
  { "${install[@]}" || { apt-get update && "${install[@]}"; }; } >/dev/null
}

need_chromium() {
  [ -n "${CHROMIUM:-}" ] ||
    CHROMIUM="$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)"
  if [ -z "$CHROMIUM" ]; then
    apt_install chromium || die "no Chromium found: install one, or set CHROMIUM to its path"
    CHROMIUM="$(command -v chromium)"
  fi
  export CHROMIUM
}

# Browsers in which nothing was tested, with what to do about it.
untested=()

want_firefox() {
  [ -n "${FIREFOX:-}" ] || FIREFOX="$(command -v firefox-esr || command -v firefox || true)"
  [ -n "$FIREFOX" ] || ! apt_install firefox-esr || FIREFOX="$(command -v firefox-esr)"
  [ -n "$FIREFOX" ] || untested+=("Firefox: install it, or set FIREFOX to its path")
  export FIREFOX
}

# WebKit in its GTK port, with a display in memory to run it on.
want_webkit() {
  if ! find_webkit && apt_install webkit2gtk-driver xvfb; then find_webkit || true; fi
  [ -n "$WEBKIT" ] || untested+=("WebKit: install WebKitWebDriver, its MiniBrowser, and Xvfb")
  export WEBKIT WEBKIT_DRIVER
}

find_webkit() {
  WEBKIT="$(compgen -G '/usr/lib/*/webkit2gtk-4.*/MiniBrowser' | tail -n 1 || true)"
  WEBKIT_DRIVER="$(command -v WebKitWebDriver || true)"
  [ -n "$WEBKIT" ] && [ -n "$WEBKIT_DRIVER" ] && command -v Xvfb >/dev/null && return
  WEBKIT=
  return 1
}

# Says in which browsers nothing was tested; that is a failure where all are wanted.
report_untested() {
  local browser
  [ "${#untested[@]}" != 0 ] || return 0
  for browser in "${untested[@]}"; do warn "NOT TESTED in $browser"; done
  [ -z "${EVERY_BROWSER:-}" ]
}

need_vulkan() {
  compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null && return
  apt_install libvulkan1 mesa-vulkan-drivers ||
    warn "no Vulkan driver found: the native wgpu tests will fail without one"
}

# tool PROGRAM CRATE VERSION [CARGO FLAGS]: prints the path of a Rust tool of exactly that version, building it once if
# needed. A registry may lack what the tool's own lock file names, for it is a mirror that lags behind. Tools run for
# seconds and are built hastily: compiling them for speed took minutes more. Only what compares texts of licences (spdx)
# works long enough to be worth it.
tool() {
  local program="$1" crate="$2" version="$3" root="$cache/tools-$3"
  local install=(cargo install "$crate" --quiet --version "$version" --root "$root")
  install+=(--config profile.release.opt-level=0 --config profile.release.lto=false)
  install+=(--config profile.release.package.spdx.opt-level=3)
  install+=(--target-dir "$root/target" "${@:4}")
  if [ ! -x "$root/bin/$program" ]; then
    say "building $crate $version (some minutes, once)" >&2
    "${install[@]}" --locked >&2 || {
      warn "trying $crate $version again, with other versions of what it is built from than its lock file has"
      "${install[@]}" >&2
    }
    rm -rf "$root/target"
  fi
  echo "$root/bin/$program"
}

readonly binder=www/tools/bind

# locked LOCKFILE PACKAGE: the version that it has of it
locked() {
  awk -v name="name = \"$2\"" '$0 == name { getline; gsub(/[^0-9.]/, ""); print; exit }' "$1"
}

# The program that writes bindings. It must be of the version of wasm-bindgen that modules are compiled with.
need_binder() {
  local module tool
  module="$(locked Cargo.lock wasm-bindgen)"
  tool="$(locked "$binder/Cargo.lock" wasm-bindgen-cli-support)"
  [ "$module" = "$tool" ] || die "$binder is made for wasm-bindgen ${tool:-(none)}; Cargo.lock has ${module:-none}"
  cargo build --quiet --locked --manifest-path "$binder/Cargo.toml" --target-dir "$cache/bind"
}

# Builds books; without what serves and watches them.
need_mdbook() {
  MDBOOK="$(tool mdbook mdbook 0.5.4 --no-default-features --features search)"
  export MDBOOK
}

# Tells builds of the same sources by the same compiler apart from others.
sources() {
  {
    find src "$binder" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    sha256sum Cargo.toml Cargo.lock build.sh
    rustc --version
  } | sha256sum
}

# wasm_target ENGINE: cargo's folder for it; what is compiled with other flags would be compiled anew in one of them.
wasm_target() {
  case "$1" in
    cpu) echo "$target/threads" ;;
    *)   echo "$target" ;;
  esac
}

# cargo for the browser: on_wasm ENGINE VERB [CARGO FLAGS]
on_wasm() {
  local features="+simd128" environment=() links=() library=()
  if [ "$1" = cpu ]; then
    # Threads use one memory, which the page makes, and Rust's library has to be compiled for that. It is the stable
    # compiler that does it; this variable has it do what is not promised for later versions.
    environment=(RUSTC_BOOTSTRAP=1)
    features+=",+atomics,+bulk-memory,+mutable-globals"
    links=(--shared-memory --import-memory "--max-memory=$((1 << 32))")
    links+=(--export={__wasm_init_tls,__tls_size,__tls_align,__tls_base})
    library=(-Z "build-std=std,panic_abort")
  fi
  env "${environment[@]}" CARGO_TARGET_DIR="$(wasm_target "$1")" \
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-C target-feature=$features ${links[*]/#/-C link-arg=}" \
    cargo "$2" "${library[@]}" --config src/web/profile.toml --locked --release --lib --target "$triple" \
    --no-default-features "${@:3}"
}

# package NAME [CARGO FLAGS]: the crate as wasm in www/pkg/NAME, unless it is there already: cargo would compile it anew
# whenever the features change. wasm-opt is left out: measured on the CPU engine, it made the file 8 % smaller raw but
# 10 % larger gzipped, no faster, and cost a minute.
package() {
  local name="$1" out="www/pkg/$1" stamp
  shift
  stamp="$(sources)"
  [ "$stamp" != "$(cat "$out/.stamp" 2>/dev/null)" ] || return 0
  say "compiling the $name engine"
  bind "$name" "$out" build "$@"
  [ "$name" != cpu ] || fuse "$out"
  echo "$stamp" > "$out/.stamp"
}

# bind ENGINE FOLDER VERB [CARGO FLAGS]: the crate as wasm with its bindings. What the folder held stays until it is
# compiled.
bind() {
  need_binder
  on_wasm "$1" "${@:3}"
  rm -rf "$2"
  "$cache/bind/debug/sdic-bind" "$(wasm_target "$1")/$triple/release/sdic.wasm" "$2"
}

# The CPU engine once more, with the vector instructions that www/shared/fused.js asks for: in this crate only, so that
# dependencies are compiled once. Both builds are started by the same bindings.
fuse() {
  local folder
  folder="$(mktemp -d)"
  bind cpu "$folder" rustc -- -C target-feature=+relaxed-simd
  cmp -s <(grep -v '^ *//' "$1/sdic.js") <(grep -v '^ *//' "$folder/sdic.js") ||
    die "the fused engine's bindings differ"
  mv "$folder/sdic_bg.wasm" "$1/sdic_fused_bg.wasm"
  rm -r "$folder"
}

# The notices that the licences of everything compiled in ask for, in www/pkg/notices, unless they are there already.
notices() {
  local out=www/pkg/notices library stamp about
  stamp="$({ sha256sum Cargo.toml Cargo.lock about.toml about.hbs build.sh; rustc --version; } | sha256sum)"
  [ "$stamp" != "$(cat "$out/.stamp" 2>/dev/null)" ] || return 0
  library="$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html"
  [ -f "$library" ] || die "$library is missing: install Rust by rustup, which brings the notices of its library"
  about="$(tool cargo-about cargo-about 0.9.3 --features cli)"
  say "gathering the notices of what is compiled in"
  rm -rf "$out"
  mkdir -p "$out"
  "$about" generate --locked --fail --no-default-features --features wgpu --output-file "$out/crates.txt" about.hbs
  cp "$library" "$out/rust-library.html"
  echo "$stamp" > "$out/.stamp"
}

# What the engine declares to the page, without the names that change with every compilation. The page's types can be
# checked by the committed copy where no engine has been compiled.
readonly declarations=www/shared/engine.d.ts

declared() {
  sed '/^export type InitInput/,$d' www/pkg/cpu/sdic.d.ts
  echo 'export default function init(module?: unknown): Promise<unknown>;'
  echo 'export function initSync(module: unknown): unknown;'
}

declare_engines() {
  local name
  for name in cpu webgpu; do
    [ -f "www/pkg/$name/sdic.d.ts" ] && continue
    mkdir -p "www/pkg/$name"
    cp "$declarations" "www/pkg/$name/sdic.d.ts"
  done
}

need_page_tools() {
  need_wasm
  need_node_packages
}

engines() {
  need_page_tools
  package cpu
  package webgpu --features wgpu
  notices
}

build() {
  engines
  node www/tools/assemble.mjs dist
}

npm_package() {
  engines
  node www/tools/pack.mjs dist-npm
}

# docs [FOLDER]: the documentation as a site; fails if anything that it names is not there.
docs() {
  need_node
  need_rust
  need_mdbook
  say "building the documentation"
  node www/tools/book.mjs "${1:-dist-docs}"
}

# The page on the processor at once, and the WebGPU engine as a new version of it when that is compiled. The page says
# how far cargo's progress bar is.
serve() {
  local server progress
  need_page_tools
  package cpu
  notices
  node www/tools/assemble.mjs dist
  progress="$(mktemp)"
  node www/tools/serve.mjs dist --port "${PORT:-8080}" --compiling "$progress" &
  server=$!
  # shellcheck disable=SC2064 # both are known now, and gone when it runs
  trap "kill $server 2>/dev/null; rm -f '$progress'" EXIT
  export CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=100
  package webgpu --features wgpu 2> >(tee "$progress" >&2)
  node www/tools/assemble.mjs dist
  say "the WebGPU engine is there: the page offers it"
  wait "$server"
}

check_rust() {
  need_wasm
  say "formatting, lints and documentation of the crate"
  cargo fmt --check
  cargo fmt --check --manifest-path "$binder/Cargo.toml"
  CARGO_TARGET_DIR="$target" cargo clippy --locked --release --all-targets -- -D warnings
  on_wasm cpu clippy -- -D warnings
  CARGO_TARGET_DIR="$target" RUSTDOCFLAGS="-D warnings" cargo doc --locked --release --no-deps --lib --quiet
  check_packed
}

# The crate as it is packaged: as the dependency of a program, the example, and its own program. Nothing but the package
# is there, and it computes on the processor alone.
check_packed() {
  local stranger packed status=0
  say "the packaged crate, in a stranger's program and as one"
  CARGO_TARGET_DIR="$target" cargo package --locked --allow-dirty --no-verify --quiet
  packed="$(sed -n 's/^version = "\(.*\)"/sdic-\1/p' Cargo.toml | head -n 1)"
  stranger="$(mktemp -d)"
  tar -xzf "$target/package/$packed.crate" -C "$stranger"
  mkdir "$stranger/src"
  cp "$stranger/$packed/examples/edit.rs" "$stranger/src/main.rs"
  cp "$stranger/$packed/Cargo.lock" "$stranger"
  cat > "$stranger/Cargo.toml" <<END
[package]
name = "stranger"
version = "0.0.0"
edition = "2024"

[dependencies]
pollster = "0.4"
sdic = { path = "$packed", default-features = false }
END
  local check=(env CARGO_TARGET_DIR="$target" cargo check --release --quiet --manifest-path)
  { "${check[@]}" "$stranger/Cargo.toml" &&
    "${check[@]}" "$stranger/$packed/Cargo.toml" --locked --bin sdic --no-default-features --features cli
  } || status=1
  rm -r "$stranger"
  return "$status"
}

check_page() {
  need_node_packages
  say "formatting, lints and types of the page"
  declare_engines
  (cd www && npm run --silent check)
}

check_training() {
  say "training: lints, and all stages on drawn faces"
  local status=0
  training/check.sh || status=$?
  [ "$status" != 77 ] || { warn "NOT CHECKED: training"; return 0; }
  return "$status"
}

# A nightly toolchain of a fixed day: Miri and libFuzzer need what the stable ones lack. Only the commands that are
# asked for by name need it.
readonly nightly=nightly-2026-05-20

# need_nightly COMPONENT...; fails where it cannot be had.
need_nightly() {
  local component
  command -v rustup >/dev/null || { warn "rustup not found: install Rust from https://rustup.rs"; return 1; }
  for component in "" "$@"; do
    rustup component list --installed --toolchain "$nightly" 2>/dev/null | grep -q "^${component:-rustc}" && continue
    say "installing $nightly ${component}"
    rustup toolchain install "$nightly" --profile minimal ${component:+--component "$component"} || return 1
  done
}

# The packages in tests/miri and tests/fuzz take their versions from the crate's Cargo.lock. The former is the kernels
# alone, without Burn; on a processor with AVX2 its tests run the code for SSE4 and for none of both, too. Leaks are
# left alone: threads of a pool never end.
check_miri() {
  local cpu=x86-64-v3
  need_nightly miri rust-src || { warn "NOT RUN: Miri; $nightly cannot be installed"; return 1; }
  say "the kernels under Miri, on $cpu"
  cp Cargo.lock tests/miri/Cargo.lock
  cd tests/miri
  export CARGO_TARGET_DIR="$cache/miri" RUSTFLAGS="-C target-cpu=$cpu"
  export MIRIFLAGS="-Zmiri-num-cpus=2 -Zmiri-ignore-leaks -Zmiri-disable-isolation"
  cargo "+$nightly" miri test --target x86_64-unknown-linux-gnu
}

# Whether the crate's interface breaks who uses it, while its version says that it does not. With no release tagged,
# there is nothing that could break.
check_api() {
  local tool release
  need_rust
  release="$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null)" || {
    say "no release is tagged yet"
    return
  }
  tool="$(tool cargo-semver-checks cargo-semver-checks 0.51.0)"
  say "the crate's interface, beside $release"
  CARGO_TARGET_DIR="$target/semver" "$tool" semver-checks --baseline-rev "$release"
}

# An input that takes half a minute is a fault like one that panics; so is one that takes a gigabyte.
fuzz() {
  local name="$1" seconds="${2:-600}" tool host
  [ -f "tests/fuzz/fuzz_targets/$name.rs" ] || die "no such target; there are: $(cd tests/fuzz/fuzz_targets && echo *)"
  need_nightly rust-src || die "NOT RUN: fuzzing; $nightly cannot be installed"
  tool="$(tool cargo-fuzz cargo-fuzz 0.13.2)"
  host="$(rustc -vV | sed -n 's/^host: //p')"
  cp Cargo.lock tests/fuzz/Cargo.lock
  cd tests/fuzz
  export CARGO_TARGET_DIR="$cache/fuzz" RUSTUP_TOOLCHAIN="$nightly" RAYON_NUM_THREADS=1
  # The corpus is written by a program of the same build: Burn is compiled once.
  "$tool" build --fuzz-dir . corpus
  "$CARGO_TARGET_DIR/$host/release/corpus"
  say "fuzzing $name for $seconds seconds"
  "$tool" run --fuzz-dir . "$name" -- -max_total_time="$seconds" -timeout=30 -rss_limit_mb=4096 -malloc_limit_mb=1024
}

check_docs() {
  docs "$target/book"
}

check() {
  check_rust
  check_page
  check_docs
  check_training
  dependencies
}

# Licences and sources of what is used, and holes that are known in it. The lists of holes lie on other hosts: where
# one cannot be reached, nothing was checked, and that is said. Exceptions, with reasons, are in deny.toml.
dependencies() {
  local deny report
  say "licences, sources and known holes of dependencies"
  deny="$(tool cargo-deny cargo-deny 0.20.2)"
  "$deny" --locked check licenses bans sources
  if "$deny" --locked fetch db; then
    "$deny" --locked check advisories
  else
    warn "NOT CHECKED: known holes in crates; their list cannot be reached"
  fi
  report="$(cd www && npm audit --json 2>/dev/null)" && return
  case "$report" in
    *'"vulnerabilities"'*) (cd www && npm audit); die "a development package of the page has a known hole" ;;
    *) warn "NOT CHECKED: known holes in the page's development packages; their list cannot be reached" ;;
  esac
}

test_native() {
  need_rust
  need_vulkan
  say "native tests"
  CARGO_TARGET_DIR="$target" cargo test --locked --release -- "$@"
}

test_page() {
  build
  [ "${1:-docs}" != docs ] || need_mdbook
  need_chromium
  want_firefox
  want_webkit
  say "page tests in $("$CHROMIUM" --version)${FIREFOX:+, $("$FIREFOX" --version)}${WEBKIT:+, WebKit}"
  local status=0
  node --test --test-force-exit --test-concurrency=1 tests/page/${1:-*}.test.mjs || status=1
  report_untested || status=1
  return "$status"
}

# The declarations that types were checked by must be those of the engine that was compiled.
test_declarations() {
  declared | cmp -s - "$declarations" && return
  declared > "$declarations"
  die "$declarations was out of date and has been renewed: look at it, commit it, and run this again"
}

run_tests() {
  check
  build
  test_declarations
  test_native
  test_page
}

case "${1:-serve} ${2:-}" in
  "serve ")         serve ;;
  "build ")         build ;;
  "package ")       npm_package ;;
  "docs ")          docs ;;
  "check ")         check ;;
  "check rust")     check_rust ;;
  "check page")     check_page ;;
  "check docs")     check_docs ;;
  "check miri")     check_miri ;;
  "check api")      check_api ;;
  "check training") check_training ;;
  "fuzz "?*)        fuzz "${@:2}" ;;
  "test ")          run_tests ;;
  "test native")    test_native "${@:3}" ;;
  "test page")      test_page "${@:3}" ;;
  *)                sed -n '2,20s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
