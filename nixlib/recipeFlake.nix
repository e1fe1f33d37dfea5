# nixpkgs and the path of a recipe.json -> the outputs of the recipe's flake.
#
#   outputs = { nixpkgs, ... }: nixlib.recipeFlake { inherit nixpkgs; recipe = ./recipe.json; };
{ lib, nixlib }:
{ nixpkgs, recipe }:
let
  data = nixlib.readRecipe recipe;
  perSystem =
    make:
    lib.genAttrs data.systems (
      system:
      let
        pkgs = nixpkgs.legacyPackages.${system};
        environment = nixlib.environmentOf {
          recipe = data;
          inherit pkgs;
        };
      in
      make {
        recipe = data;
        inherit pkgs environment;
      }
    );
in
{
  packages = perSystem (made: {
    default = made.environment;
    image = nixlib.imageOf made;
  });
  devShells = perSystem (made: {
    default = nixlib.shellOf made;
  });
  checks = perSystem nixlib.checksOf;
  apps = perSystem (made: {
    default = nixlib.appOf made;
  });
  lib.recipe = data;
}
