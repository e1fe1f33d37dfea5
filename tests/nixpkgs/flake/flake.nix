{
  description = "A stand-in for nixpkgs: what nixlib needs of it, made of Debian's files";

  outputs =
    _:
    let
      lib = import ./lib.nix;
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (
        system: import ./. { inherit lib system; }
      );
    };
}
