# Programs of the C library want its own loader, which finds it in this very folder.
rm -rf "$out/bin" "$out/etc"
