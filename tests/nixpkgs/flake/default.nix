# All packages of one system.
#
# Three kinds: programs that run (programs.nix, made of the Debian files in debs.json), packages that are
# only evaluated (attributes.json: names and versions of the real nixpkgs; they build to a note that says so),
# and what nixpkgs has to build with.
{ lib, system }:
let
  groups = import ./groups.nix { inherit lib system; };
  tools = import ./tools.nix { inherit groups system; };
  placeholders = import ./placeholders.nix { inherit lib system tools; };
  programs = import ./programs.nix { inherit groups placeholders system; };
in
placeholders
// programs
// {
  inherit (tools)
    buildEnv
    mkShellNoCC
    runCommand
    stdenv
    writeShellScriptBin
    writeText
    ;
  standIn = import ./big.nix { inherit groups system; } // {
    # As nixpkgs refuses what is not free: when the derivation is asked for.
    refused = {
      type = "derivation";
      name = "refused-1.0";
      drvPath = throw "Package 'refused-1.0' has an unfree license, refusing to evaluate.";
    };
  };
}
