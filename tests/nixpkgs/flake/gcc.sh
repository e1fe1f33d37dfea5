# $out/bin: gcc, cc, g++ and c++ around $gcc.
set -eu
"$busybox" mkdir -p "$out/bin" applets
"$busybox" --install -s applets
PATH=$PWD/applets

link="-Wl,-dynamic-linker,$glibc/lib/ld-linux-x86-64.so.2 -Wl,-rpath,$glibc/lib -L$development/lib -L$glibc/lib"
for place in $runtime; do
  link="$link -Wl,-rpath,$place/lib -L$place/lib"
done
for name in gcc cc g++ c++; do
  case $name in
  g++ | c++) real=$gcc/bin/x86_64-linux-gnu-g++-14 ;;
  *) real=$gcc/bin/x86_64-linux-gnu-gcc-14 ;;
  esac
  {
    printf '#!%s/bin/bash\n' "$bash"
    printf 'exec %s -B%s/bin/ -B%s/lib/ -idirafter %s/include "$@" %s\n' \
      "$real" "$binutils" "$development" "$development" "$link"
  } >"$out/bin/$name"
done
chmod 755 "$out"/bin/*
ln -s "$gcc/bin/x86_64-linux-gnu-cpp-14" "$out/bin/cpp"
for tool in "$binutils"/bin/*; do
  name=${tool##*/}
  [ -e "$out/bin/$name" ] || ln -s "$tool" "$out/bin/$name"
done
