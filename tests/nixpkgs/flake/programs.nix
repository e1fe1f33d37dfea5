# Attributes of nixpkgs whose programs run here, and the group of Debian files each is made of.
{
  groups,
  placeholders,
  system,
}:
let
  plain = {
    bash = "bash";
    bashInteractive = "bash";
    binutils = "binutils";
    bzip2 = "bzip2";
    cacert = "ca-certificates";
    coreutils = "coreutils";
    curl = "curl";
    diffutils = "diffutils";
    file = "file";
    findutils = "findutils";
    gawk = "gawk";
    git = "git";
    gnugrep = "grep";
    gnumake = "make";
    gnupatch = "patch";
    gnused = "sed";
    gnutar = "tar";
    gzip = "gzip";
    jq = "jq";
    less = "less";
    openssh = "openssh-client";
    patchelf = "patchelf";
    procps = "procps";
    ripgrep = "ripgrep";
    tini = "tini";
    tmux = "tmux";
    tzdata = "tzdata";
    unzip = "unzip";
    util-linux = "util-linux";
    wget = "wget";
    xz = "xz-utils";
    zip = "zip";
  };
  programs = builtins.mapAttrs (_: group: groups.${group}) plain;
  python313 = import ./python.nix {
    inherit groups placeholders system;
  };
  gcc14 = import ./gcc.nix { inherit groups system; };
  # Interpreters that are only evaluated, and their packages with them.
  otherPython =
    name:
    placeholders.${name}
    // {
      pkgs = placeholders.python313Packages;
      withPackages =
        choose:
        builtins.deepSeq (map (one: one.drvPath) (
          choose placeholders.python313Packages
        )) placeholders.${name};
    };
in
programs
// {
  inherit gcc14 python313;
  python311 = otherPython "python311";
  python312 = otherPython "python312";
  python314 = otherPython "python314";
  gcc = gcc14;
  python3 = python313;
  python313Packages = python313.pkgs;
  python314Packages = placeholders.python313Packages;
}
