# Certificates are where the store has them.
for place in $libraries; do
  [ -e "$place/etc/ssl/certs/ca-bundle.crt" ] && bundle=$place/etc/ssl/certs/ca-bundle.crt
done
sed -i "s#/etc/ssl/certs/ca-certificates.crt#$bundle#g" "$out/lib/python3/dist-packages/pip/_vendor/certifi/core.py"
