# The linker's scripts name libraries by their place in Debian.
for script in "$out"/lib/libc.so "$out"/lib/libm.so "$out"/lib/libm.a; do
  [ -f "$script" ] && [ ! -L "$script" ] || continue
  sed -i -E "s#/usr/lib/x86_64-linux-gnu/(lib[a-z0-9_.-]+\.a)#$out/lib/\1#g; s#(/usr)?/lib/x86_64-linux-gnu/#$glibc/lib/#g; s#/lib64/#$glibc/lib/#g" "$script"
done
