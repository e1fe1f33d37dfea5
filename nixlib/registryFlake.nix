# nixpkgs and the recipe.json of many recipes -> the outputs of one flake that has them all, by name.
#
#   outputs = { nixpkgs, ... }:
#     nixlib.registryFlake { inherit nixpkgs; recipes = [ ./recipes/base/recipe.json ... ]; };
#
# `nix develop .#python`, `nix build .#python`, `nix run .#python -- python3`; the checks of a recipe are
# called <recipe>-<test>.
{ lib, nixlib }:
{ nixpkgs, recipes }:
let
  inherit (lib) foldl' mapAttrs nameValuePair;
  flakes = map (recipe: nixlib.recipeFlake { inherit nixpkgs recipe; }) recipes;

  # What the recipes have under one output, joined system by system.
  joined =
    output: select:
    foldl' (
      all: flake:
      all
      // mapAttrs (
        system: attrs: (all.${system} or { }) // select flake.lib.recipe.name attrs
      ) flake.${output}
    ) { } flakes;
  onlyDefault = name: attrs: { ${name} = attrs.default; };
  withName = name: attrs: lib.mapAttrs' (slug: value: nameValuePair "${name}-${slug}" value) attrs;
in
{
  packages = joined "packages" onlyDefault;
  devShells = joined "devShells" onlyDefault;
  apps = joined "apps" onlyDefault;
  checks = joined "checks" withName;
  lib.recipes = builtins.listToAttrs (
    map (flake: nameValuePair flake.lib.recipe.name flake.lib.recipe) flakes
  );
}
