# A recipe -> one folder with all its tools: bin, lib, share and so on, linked from the packages.
#
#   environmentOf { pkgs = nixpkgs.legacyPackages.x86_64-linux; recipe = readRecipe ./recipe.json; }
{ nixlib }:
{ pkgs, recipe }:
pkgs.buildEnv {
  name = "${recipe.name}-${recipe.version}";
  paths = nixlib.packagesOf { inherit pkgs recipe; };
  pathsToLink = [
    "/bin"
    "/etc"
    "/include"
    "/lib"
    "/libexec"
    "/sbin"
    "/share"
  ];
  # Two packages may bring one file (cc of gcc and of clang): the one the recipe names first wins.
  ignoreCollisions = true;
  meta.description = recipe.summary;
}
