# $debs -> $out, as a package of nixpkgs looks: bin, lib, share; every program finds its loader and its
# libraries by the store paths in $libraries and nowhere else.
set -eu
"$busybox" mkdir root applets
"$busybox" --install -s applets
PATH=$PWD/applets
for deb in $debs; do
  dpkg-deb -x "$deb" root
done
mkdir -p "$out"

# --- layout: one lib, one bin; no manuals ----------------------------------------------------------
take() {
  if [ -d "root/$1" ]; then
    mkdir -p "$out/$2"
    cp -a "root/$1/." "$out/$2/"
    rm -r "root/$1"
  fi
}
rm -rf root/usr/share/doc root/usr/share/man root/usr/share/locale root/usr/share/lintian root/usr/share/info
rm -rf root/usr/lib64 root/lib64 root/usr/libx32
take usr/lib/x86_64-linux-gnu lib
take usr/include/x86_64-linux-gnu include
rm -rf root/usr/include/*-linux-gnu*
for place in lib libexec include share bin; do
  take "usr/$place" "$place"
done
take usr/sbin bin
take usr/games bin
take lib lib
take bin bin
take etc etc
rmdir "$out"/* 2>/dev/null || true

# --- links that led through /usr, or to another package ---------------------------------------------
plain() { # a path as it is here: without /usr and the folder of the architecture, folders up taken away
  printf '%s\n' "$1" | sed -E 's#^/?usr/##; s#^/##; s#[^/]+-linux-gnu/##; :up; s#(^|/)[^/.][^/]*/\.\./#\1#; t up; s#^(\.\./)+##'
}
find "$out" -type l | while read -r link; do
  [ -e "$link" ] && continue
  target=$(readlink "$link")
  case $target in
  /*) wanted=$(plain "$target") ;;
  *)
    inside=${link#"$out"/}
    case $inside in
    */*) wanted=$(plain "${inside%/*}/$target") ;;
    *) wanted=$(plain "$target") ;;
    esac
    ;;
  esac
  rm "$link"
  for place in "$out" $libraries; do
    if [ -e "$place/$wanted" ]; then
      ln -s "$place/$wanted" "$link"
      break
    fi
  done
done

# --- programs and libraries -------------------------------------------------------------------------
patchelf() { "$patcher"/ld-linux-x86-64.so.2 --library-path "$patcher" "$patcher/patchelf" "$@"; }
if [ -n "$glibc" ]; then
  runpath=$out/lib
  for place in $libraries; do
    [ -d "$place/lib" ] && runpath=$runpath:$place/lib
  done
  find "$out" -type f '(' -perm -0100 -o -name '*.so' -o -name '*.so.*' -o -name '*.node' ')' | while read -r file; do
    [ "$(head -c 4 "$file" | tail -c 3)" = ELF ] || continue
    chmod u+w "$file"
    # A program linked statically has no list of libraries, and needs none. The interpreter comes last: the
    # other way round patchelf spoils programs that are bound to one address (python3).
    if patchelf --print-needed "$file" 2>/dev/null | grep -q .; then
      patchelf --set-rpath "$runpath" "$file"
      patchelf --shrink-rpath "$file"
    fi
    if patchelf --print-interpreter "$file" >/dev/null 2>&1; then
      patchelf --set-interpreter "$glibc/lib/ld-linux-x86-64.so.2" "$file"
    fi
  done
fi

# --- scripts ----------------------------------------------------------------------------------------
if [ -n "$shell" ]; then
  find "$out" -type f -perm -0100 | while read -r file; do
    [ "$(head -c 2 "$file")" = '#!' ] || continue
    read -r first <"$file"
    command=${first#\#!}
    command=${command# }
    case $command in
    "/usr/bin/env "*) name=${command#/usr/bin/env } ;;
    *) name=${command##*/} ;;
    esac
    case $name in
    sh | "sh "* | bash | "bash "*) new=$shell/bin/bash${name#"${name%% *}"} ;;
    *)
      new=
      for place in "$out" $libraries; do
        if [ -e "$place/bin/${name%% *}" ]; then
          new=$place/bin/$name
          break
        fi
      done
      ;;
    esac
    if [ -n "$new" ]; then
      chmod u+w "$file"
      sed -i "1s|.*|#!$new|" "$file"
    fi
  done
fi

wrapped() { # wrapped PROGRAM LINE...: PROGRAM runs with some lines before it
  local program=$out/bin/$1 real=$out/libexec/wrapped/$1
  shift
  mkdir -p "${real%/*}"
  mv "$program" "$real"
  {
    printf '#!%s/bin/bash\n' "$shell"
    printf '%s\n' "$@"
    printf 'exec -a "$0" "%s" "$@"\n' "$real"
  } >"$program"
  chmod 755 "$program"
}
if [ -n "$fixup" ]; then
  . "$fixup"
fi
