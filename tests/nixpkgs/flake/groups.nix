# debs.json -> one derivation for each group of Debian files, by the group's name.
{ lib, system }:
let
  groups = (builtins.fromJSON (builtins.readFile ./debs.json)).systems.${system};
  built = system == "x86_64-linux";

  # A busybox that needs no other file is what every build begins with. Nothing is built for other systems.
  busybox = if built then "${./busybox}/busybox" else "/busybox-of-${system}";

  # The file itself where programs are built; elsewhere a path that stands for it, known by its hash.
  fileOf =
    deb:
    if built then
      ./debs + "/${deb.file}"
    else
      derivation {
        name = deb.file;
        inherit system;
        builder = busybox;
        outputHash = deb.sha256;
        outputHashAlgo = "sha256";
        outputHashMode = "flat";
      };

  # Everything a group needs, itself left out.
  closureOf =
    name:
    builtins.genericClosure {
      startSet = map (key: { inherit key; }) groups.${name}.depends;
      operator = item: map (key: { inherit key; }) groups.${item.key}.depends;
    };

  # patchelf and the libraries it runs with, straight from the files: nothing is patched yet.
  patcher = derivation {
    name = "patcher";
    inherit system;
    builder = busybox;
    args = [
      "sh"
      ./patcher.sh
    ];
    debs = lib.concatMap (name: map fileOf groups.${name}.debs) [
      "glibc"
      "libstdc++6"
      "patchelf"
    ];
  };

  make =
    name: group:
    let
      needed = map (item: item.key) (closureOf name);
      shell = if name == "bash" || builtins.elem name groups.bash.depends then "" else made.bash;
      fixup = ./fixups + "/${name}.sh";
    in
    derivation {
      name = "${name}-${group.version}";
      inherit system patcher shell;
      builder = busybox;
      args = [
        "sh"
        ./unpack.sh
      ];
      inherit busybox;
      group = name;
      debs = map fileOf group.debs;
      libraries = map (other: made.${other}) needed;
      glibc = if name == "glibc" then "" else made.glibc;
      fixup = if builtins.pathExists fixup then fixup else "";
    }
    // {
      pname = name;
      inherit (group) version;
      meta = {
        description = "Debian's ${name}";
      };
    };
  made = builtins.mapAttrs (name: group: make name group) groups;
in
made // { inherit busybox; }
