{
  description = "openhands_recipes: every recipe as a Nix environment, shell and checks";

  # flake.lock pins the revision that recipes/registry.yaml names.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";

  outputs =
    { nixpkgs, ... }:
    let
      inherit (nixpkgs) lib;
      # Written by `make golden`, from recipe.yaml beside it.
      dataOf = name: ./recipes + "/${name}/flake.json";
      recipes = builtins.filter builtins.pathExists (
        map dataOf (builtins.attrNames (builtins.readDir ./recipes))
      );
    in
    (import ./nixlib { inherit lib; }).registryFlake { inherit nixpkgs recipes; };
}
