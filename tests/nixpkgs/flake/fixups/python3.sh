# ensurepip looks for the wheels it installs in a place of Debian.
sed -i "s#/usr/share/python-wheels#$out/share/python-wheels#g" "$out/lib/python3.13/ensurepip/__init__.py"
ln -sfn python3.13 "$out/bin/python3"
