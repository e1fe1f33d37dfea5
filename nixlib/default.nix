# The functions of nixlib, one per file; `lib` is that of nixpkgs.
{ lib }:
let
  nixlib = {
    appOf = import ./appOf.nix { inherit nixlib; };
    checksOf = import ./checksOf.nix { inherit lib nixlib; };
    complain = import ./complain.nix;
    environmentOf = import ./environmentOf.nix { inherit nixlib; };
    exportsOf = import ./exportsOf.nix { inherit lib; };
    findPackage = import ./findPackage.nix { inherit lib nixlib; };
    imageOf = import ./imageOf.nix { inherit lib nixlib; };
    interpreterOf = import ./interpreterOf.nix { inherit lib nixlib; };
    nearNames = import ./nearNames.nix { inherit lib; };
    packagesOf = import ./packagesOf.nix { inherit lib nixlib; };
    readRecipe = import ./readRecipe.nix;
    recipeFlake = import ./recipeFlake.nix { inherit lib nixlib; };
    registryFlake = import ./registryFlake.nix { inherit lib nixlib; };
    satisfies = import ./satisfies.nix { inherit lib nixlib; };
    shellOf = import ./shellOf.nix { inherit nixlib; };
    slugsOf = import ./slugsOf.nix { inherit lib; };
    versionKey = import ./versionKey.nix { inherit lib; };
  };
in
nixlib
