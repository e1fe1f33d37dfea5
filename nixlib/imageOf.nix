# A recipe and its environment -> one JSON file with what an image needs to know of them; its closure is the image's.
#
#   imageOf { pkgs = ...; recipe = readRecipe ./recipe.json; environment = environmentOf { ... }; }
{ lib, nixlib }:
{
  pkgs,
  recipe,
  environment,
}:
let
  origin = package: {
    name = package.pname or package.name;
    version = lib.getVersion package;
    path = "${package}";
  };
in
pkgs.writeText "${recipe.name}-${recipe.version}-image.json" (
  builtins.toJSON {
    schema = 1;
    inherit (recipe) name version path;
    system = pkgs.stdenv.hostPlatform.system;
    environment = "${environment}";
    variables = recipe.environment;
    packages = map origin (nixlib.packagesOf { inherit pkgs recipe; });
  }
)
