# Programs of the C library want its own loader, which finds it in this very folder. C.UTF-8 stays.
rm -rf "$out/bin" "$out/etc" "$out/share"
