# A version -> a list whose order, by `<`, is that of PEP 440: 2.0.dev1 < 2.0a1 < 2.0rc1 < 2.0 == 2 < 2.0.post1.
#
# What nixpkgs puts behind its own versions (`0-unstable-2026-07-14`) does not count; local versions
# (`2.0+cpu`) neither. A version that does not begin with a number comes before all others.
{ lib }:
version:
let
  inherit (lib) toIntBase10;
  optionalInt = text: if text == null || text == "" then 0 else toIntBase10 text;

  epoch = "(([0-9]+)!)?";
  release = "([0-9]+(\\.[0-9]+)*)";
  early = "([-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?([0-9]*))?";
  late = "([-_.]?(post|rev|r)[-_.]?([0-9]*)|-([0-9]+))?";
  dev = "([-_.]?(dev)[-_.]?([0-9]*))?";
  whole = builtins.match "v?${epoch}${release}${early}${late}${dev}(\\+.*)?" (lib.toLower version);
  begun = builtins.match "v?${epoch}${release}.*" (lib.toLower version);
  parts = if whole != null then whole else begun ++ builtins.genList (_: null) 11;
  part = builtins.elemAt parts;

  # 1.0 and 1 are the same version.
  withoutZeros =
    numbers:
    if numbers != [ ] && lib.last numbers == 0 then withoutZeros (lib.init numbers) else numbers;

  phases = {
    a = 1;
    alpha = 1;
    b = 2;
    beta = 2;
    c = 3;
    rc = 3;
    pre = 3;
    preview = 3;
  };
  isDev = part 12 != null;
  isLate = part 7 != null;
  earlyKey =
    if part 5 != null then
      [
        phases.${part 5}
        (optionalInt (part 6))
      ]
    else if isDev && !isLate then
      [ 0 ] # 2.0.dev1 comes before 2.0a1
    else
      [ 4 ];
  lateKey = if isLate then [ (optionalInt (if part 9 != null then part 9 else part 10)) ] else [ ];
  devKey = if isDev then [ (optionalInt (part 13)) ] else [ 999999999 ];
in
if begun == null then
  [ ]
else
  [
    [ (optionalInt (part 1)) ]
    (withoutZeros (map toIntBase10 (lib.splitString "." (part 2))))
    earlyKey
    lateKey
    devKey
  ]
