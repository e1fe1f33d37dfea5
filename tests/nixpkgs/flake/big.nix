# Closures of any size, for what takes store paths further: many paths that need each other, and one path with
# everything a file system can hold.
#
#   closureOf { paths = 120; megabytes = 500; edition = 1; }   ->  an environment that needs them all
#
# Another `edition` is the same closure with one small file changed, in a path that only the environment needs.
{ groups, system }:
let
  shell = "${groups.bash}/bin/bash";
  build =
    name: environment: script:
    derivation (
      environment
      // {
        inherit name system shell;
        inherit (groups) busybox;
        builder = groups.busybox;
        args = [
          "sh"
          script
        ];
      }
    );

  # Megabytes of a real program, as Debian has it: no store path is named in it.
  material = build "material" { inherit (groups.gcc-unwrapped) debs; } ./big-material.sh;

  odd = build "odd+name_1.0-rc1?=x" { inherit material; } ./big-odd.sh;

  closureOf =
    {
      paths,
      megabytes,
      edition ? 1,
    }:
    let
      last = paths - 1;
      part =
        index:
        build "part-${toString index}-1.${toString (builtins.div index 7)}" {
          inherit index material;
          kilobytes = builtins.div (megabytes * 1024) paths;
          edition = if index == last then edition else 1;
          needs =
            if index == 0 then
              [ odd ]
            else
              [ (builtins.elemAt parts (builtins.div (index - 1) 2)) ]
              ++ (if builtins.div index 5 * 5 == index then [ (builtins.elemAt parts (index - 4)) ] else [ ]);
        } ./big-part.sh;
      parts = builtins.genList part paths;
    in
    build "big-${toString paths}-${toString megabytes}" { inherit odd parts; } ./big-environment.sh
    // {
      inherit parts;
    };
in
{
  inherit closureOf odd;
  closure = closureOf {
    paths = 120;
    megabytes = 520;
  };
  closureChanged = closureOf {
    paths = 120;
    megabytes = 520;
    edition = 2;
  };
  closure2000 = closureOf {
    paths = 250;
    megabytes = 2000;
  };
  closure2000Changed = closureOf {
    paths = 250;
    megabytes = 2000;
    edition = 2;
  };
}
