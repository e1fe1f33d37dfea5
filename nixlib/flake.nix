{
  description = "nixlib: recipes of openhands_recipes as Nix environments, shells and checks";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs";

  outputs =
    { nixpkgs, ... }:
    {
      lib = import ./. { inherit (nixpkgs) lib; };
    };
}
