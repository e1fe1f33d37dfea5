ln -s gawk "$out/bin/awk"
