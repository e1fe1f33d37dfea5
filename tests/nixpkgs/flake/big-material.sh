# $out: a large program.
set -eu
"$busybox" mkdir root applets
"$busybox" --install -s applets
PATH=$PWD/applets
for deb in $debs; do
  case $deb in
  *-cpp-14-x86-64-linux-gnu_*) dpkg-deb -x "$deb" root ;;
  esac
done
cat root/usr/libexec/gcc/x86_64-linux-gnu/14/cc1 >"$out"
