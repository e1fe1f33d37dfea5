# An interpreter with the few attributes of nixpkgs' interpreters that nixlib uses.
{
  groups,
  placeholders,
  system,
}:
let
  package = groups.python3;
  library =
    group: needed:
    groups.${group}
    // {
      needed = [ groups.${group} ] ++ map (name: groups.${name}) needed;
    };
  # Names and versions of the real nixpkgs for what is only evaluated.
  pkgs = (placeholders.python313Packages or { }) // {
    click = library "python3-click" [ ];
    pip = library "python3-pip" [ ];
    pyyaml = library "python3-yaml" [ ];
  };
in
package
// {
  pname = "python3";
  inherit pkgs;
  withPackages =
    choose:
    derivation {
      name = "python3-${package.version}-env";
      inherit system;
      builder = groups.busybox;
      args = [
        "sh"
        ./python.sh
      ];
      inherit (groups) bash busybox;
      python = package;
      libraries = builtins.concatMap (one: one.needed or [ one ]) (choose pkgs);
    }
    // {
      pname = "python3-env";
      inherit (package) version;
      meta.description = "Debian's Python with some packages";
    };
}
