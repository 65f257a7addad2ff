#!/usr/bin/env bash
# Copies the files of Swagger UI that the page at /schema uses out of its npm package, unchanged, and checks them.
# For another version: set both values (`npm view swagger-ui-dist@VERSION dist.integrity`), run with --new-sums, and read
# the changes. Needs npm.
set -euo pipefail
cd "$(dirname "$0")/.."
version=5.35.0
integrity=sha512-U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==
target=shared/runtime/http/openapi/page_files/swagger_ui
files=(LICENSE NOTICE swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm pack --silent --pack-destination "$folder" "swagger-ui-dist@$version" > /dev/null
package="$folder/swagger-ui-dist-$version.tgz"
packed=sha512-$(openssl dgst -sha512 -binary "$package" | openssl base64 -A)
test "$packed" = "$integrity" || { echo "swagger-ui-dist $version has the hash $packed, not $integrity: do not use it"; exit 1; }
tar -xzf "$package" -C "$folder"
install -m 644 "${files[@]/#/$folder/package/}" "$target"
echo "$version" > "$target/VERSION"
cd "$target"
if [ "${1:-}" = --new-sums ]; then sha256sum -- VERSION "${files[@]}" > SHA256SUMS; fi
sha256sum --check --quiet --strict SHA256SUMS
echo "Swagger UI $version: ${#files[@]} files, as in its npm package"
