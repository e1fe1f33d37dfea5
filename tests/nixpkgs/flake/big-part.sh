# $out: one part: a large file, some small ones, a program, and a list of the parts it needs.
set -eu
"$busybox" mkdir -p applets "$out/bin" "$out/lib" "$out/share/part-$index"
"$busybox" --install -s applets
PATH=$PWD/applets

# Every part begins at another byte of the material, so no two have the same content.
size=$((kilobytes * 9 / 10))
{
  printf 'part %s\n' "$index"
  while [ "$size" -gt 0 ]; do
    tail -c "+$((index * 4099 + 1))" "$material" | head -c "$((size * 1024))"
    size=$((size - 25000))
  done
} >"$out/lib/libpart-$index.so"
count=$((kilobytes / 80))
while [ "$count" -gt 0 ]; do
  count=$((count - 1))
  dd if="$material" of="$out/share/part-$index/file-$count" bs=8191 skip="$((index * 9 + count))" count=1 2>/dev/null
done
cat >"$out/bin/part-$index" <<PROGRAM
#!$shell
echo "part $index of edition $edition"
PROGRAM
chmod 755 "$out/bin/part-$index"
printf '%s\n' $needs >"$out/share/part-$index/needs"
printf '%s\n' "$edition" >"$out/share/part-$index/edition"
