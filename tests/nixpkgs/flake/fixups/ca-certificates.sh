# As nixpkgs' cacert has it: one file.
mkdir -p "$out/etc/ssl/certs"
cat "$out"/share/ca-certificates/mozilla/*.crt >"$out/etc/ssl/certs/ca-bundle.crt"
rm -rf "$out/bin" "$out/share"
