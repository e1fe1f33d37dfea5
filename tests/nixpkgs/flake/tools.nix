# What nixpkgs has to build with, as far as nixlib uses it, with the same arguments and results.
{
  groups,
  system,
}:
let
  inherit (groups) bash;
  initial = map (name: groups.${name}) [
    "coreutils"
    "findutils"
    "diffutils"
    "sed"
    "grep"
    "gawk"
    "tar"
    "gzip"
    "bzip2"
    "make"
    "bash"
    "patch"
    "xz-utils"
    "file"
  ];
  stdenv =
    derivation {
      name = "stdenv-linux";
      inherit bash initial system;
      builder = "${bash}/bin/bash";
      args = [ ./stdenv.sh ];
      setup = ./setup.sh;
      inherit (groups) coreutils glibc;
    }
    // {
      hostPlatform = { inherit system; };
    };
  build =
    name: environment: command:
    derivation (
      environment
      // {
        inherit name system stdenv;
        outputs = [ "out" ]; # `nix develop` asks for it
        builder = "${bash}/bin/bash";
        args = [
          "-c"
          "source $stdenv/setup; ${command}"
        ];
      }
    );
  command =
    name: environment: text:
    build name (
      environment
      // {
        buildCommand = text;
        passAsFile = [ "buildCommand" ] ++ environment.passAsFile or [ ];
      }
    ) "set -e; source \"$buildCommandPath\"";
in
{
  inherit stdenv;
  runCommand = command;
  writeText =
    name: text:
    command name {
      inherit text;
      passAsFile = [ "text" ];
    } ''cp "$textPath" $out'';
  writeShellScriptBin =
    name: text:
    command name {
      text = "#!${bash}/bin/bash\n${text}\n";
      passAsFile = [ "text" ];
    } ''mkdir -p $out/bin; cp "$textPath" "$out/bin/${name}"; chmod +x "$out/bin/${name}"'';
  mkShellNoCC =
    {
      name ? "nix-shell",
      packages ? [ ],
      shellHook ? "",
      env ? { },
    }:
    build name (
      env
      // {
        nativeBuildInputs = packages;
        inherit shellHook;
      }
    ) "export >$out";
  buildEnv =
    {
      name,
      paths,
      pathsToLink ? [ "/" ],
      ignoreCollisions ? false,
      meta ? { },
    }:
    assert ignoreCollisions; # nothing here asks for the other way
    command name { inherit paths pathsToLink; } (builtins.readFile ./environment.sh)
    // {
      inherit meta;
    };
}
