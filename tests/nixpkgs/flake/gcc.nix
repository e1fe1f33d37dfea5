# gcc that finds its parts, and whose programs find the C library, in the store.
{
  groups,
  system,
}:
let
  package = groups.gcc-unwrapped;
in
derivation {
  name = "gcc-wrapper-${package.version}";
  inherit system;
  builder = groups.busybox;
  args = [
    "sh"
    ./gcc.sh
  ];
  inherit (groups)
    bash
    binutils
    busybox
    glibc
    ;
  gcc = package;
  development = groups.glibc-dev;
  # libquadmath is no part of every architecture.
  runtime = map (name: groups.${name} or "") [
    "libstdc++6"
    "libatomic1"
    "libgomp1"
    "libquadmath0"
  ];
}
// {
  pname = "gcc-wrapper";
  inherit (package) version;
  meta.description = "Debian's gcc";
}
