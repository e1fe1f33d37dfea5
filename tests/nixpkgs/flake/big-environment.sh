# $out/bin: links to the programs of all $parts.
set -eu
"$busybox" mkdir -p applets "$out/bin" "$out/share"
"$busybox" --install -s applets
PATH=$PWD/applets
for part in $parts; do
  ln -s "$part"/bin/* "$out/bin/"
done
ln -s "$odd" "$out/share/odd"
