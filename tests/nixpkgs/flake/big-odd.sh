# $out: one of everything a store path can hold.
set -eu
"$busybox" mkdir -p applets "$out"
"$busybox" --install -s applets
PATH=$PWD/applets
cd "$out"

mkdir -p hard/links case empty "deep/$(printf 'a%.0s/' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20)"
head -c 300000 "$material" >hard/first
ln hard/first hard/links/second
ln hard/first hard/links/third
for name in File file FILE Straße STRASSE; do
  printf '%s\n' "$name" >"case/$name"
done
mkdir names
for name in 'a b' "it's" 'quo"te' '$dollar' 'back\slash' 'new
line' 'ünï' '-dash' '.hidden' '~tilde~nix~case~hack~1' "$(printf 'x%.0s' $(seq 1 240))"; do
  printf 'named %s\n' "$name" >"names/$name"
done
printf '\377\376' >names/bytes && mv names/bytes "names/$(printf '\377bytes')"
: >empty/file
printf '#!/bin/sh\necho ran\n' >program
chmod 555 program
ln -s ../nowhere dangling
ln -s names/'a b' relative
ln -s "$out/program" absolute
ln -s "$material" outside
printf 'kept\n' >read-only
chmod 444 read-only
