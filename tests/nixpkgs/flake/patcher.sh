# $out/: patchelf, the loader and the libraries it runs with, as Debian has them.
set -eu
"$builder" mkdir root applets "$out"
"$builder" --install -s applets
PATH=$PWD/applets
for deb in $debs; do
  dpkg-deb -x "$deb" root
done
cp -a root/usr/lib/*-linux-gnu/. "$out/"
cp -a root/usr/bin/patchelf "$out/"
