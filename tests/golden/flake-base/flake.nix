{
  description = "A recipe of openhands_recipes; what it holds is in recipe.json";

  # flake.lock pins the revision.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";

  outputs =
    { nixpkgs, ... }:
    (import ./nixlib { inherit (nixpkgs) lib; }).recipeFlake {
      inherit nixpkgs;
      recipe = ./recipe.json;
    };
}
