# ensurepip looks for the wheels it installs in a place of Debian, or beside itself; pip for certificates.
ln -sfn python3.13 "$out/bin/python3"
sed -i "s#/usr/share/python-wheels#$out/share/python-wheels#g" "$out/lib/python3.13/ensurepip/__init__.py"
mkdir -p "$out/lib/python3.13/ensurepip/_bundled"
for place in $libraries; do
  [ -e "$place/etc/ssl/certs/ca-bundle.crt" ] && bundle=$place/etc/ssl/certs/ca-bundle.crt
done
cat >rewrite.py <<'PYTHON'
import sys, zipfile

old, new, bundle = sys.argv[1:]
with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w") as target:
    for entry in source.infolist():
        content = source.read(entry)
        if entry.filename.endswith("certifi/core.py"):
            content = content.replace(b"/etc/ssl/certs/ca-certificates.crt", bundle.encode())
        target.writestr(entry, content)
PYTHON
for wheel in "$out"/share/python-wheels/pip-*.whl; do
  "$out/bin/python3.13" -I rewrite.py "$wheel" "$out/lib/python3.13/ensurepip/_bundled/${wheel##*/}" "$bundle"
  rm "$wheel"
  ln -s "$out/lib/python3.13/ensurepip/_bundled/${wheel##*/}" "$wheel"
done
