for place in $libraries; do
  [ -e "$place/lib/file/magic.mgc" ] && magic=$place/lib/file/magic.mgc
done
wrapped file "export MAGIC=\${MAGIC:-$magic}"
