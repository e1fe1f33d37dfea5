# $out/bin/python3 finds the packages in $libraries: a virtual environment in $out/environment.
set -eu
"$busybox" mkdir -p applets "$out/bin" "$out/environment/bin" "$out/environment/lib/python3.13/site-packages"
"$busybox" --install -s applets
PATH=$PWD/applets

printf 'home = %s/bin\ninclude-system-site-packages = false\n' "$python" >"$out/environment/pyvenv.cfg"
for name in python3 python3.13; do
  ln -s "$python/bin/python3.13" "$out/environment/bin/$name"
  printf '#!%s/bin/bash\nexec "%s/environment/bin/%s" "$@"\n' "$bash" "$out" "$name" >"$out/bin/$name"
done
ln -s python3 "$out/bin/python"
mkdir -p "$out/lib"
ln -s ../environment/lib/python3.13 "$out/lib/python3.13" # where nixpkgs' environments have their packages
for library in $libraries; do
  for file in "$library"/lib/python3/dist-packages/*; do
    [ -e "$file" ] && ln -sfn "$file" "$out/environment/lib/python3.13/site-packages/"
  done
  for program in "$library"/bin/*; do
    [ -e "$program" ] || continue
    { printf '#!%s/environment/bin/python3\n' "$out"; tail -n +2 "$program"; } >"$out/bin/${program##*/}"
  done
done
chmod 755 "$out"/bin/*
