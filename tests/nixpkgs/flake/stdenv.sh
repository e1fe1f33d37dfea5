# $out/setup, which every build and `nix develop` begin with.
PATH=$coreutils/bin
mkdir -p "$out"
{
  printf 'initialPath="%s"\n' "$initial"
  printf 'SHELL=%s/bin/bash\n' "$bash"
  printf 'LOCPATH=%s/lib/locale\n' "$glibc"
  cat "$setup"
} >"$out/setup"
