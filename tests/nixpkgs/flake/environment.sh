# $out: links to what the $paths have below $pathsToLink; of two files in one place the first one wins.
mkdir -p $out
for place in $pathsToLink; do
  for path in $paths; do
    if [ -d "$path$place" ]; then
      mkdir -p "$out$place"
      cp -rs --update=none "$path$place/." "$out$place/"
      chmod -R u+w "$out$place"
    fi
  done
done
