# Have the tools of every build on PATH, and before them those of the packages.
PATH=
for place in ${nativeBuildInputs:-} ${buildInputs:-} $initialPath; do
  PATH=${PATH:+$PATH:}$place/bin
done
export PATH SHELL LOCPATH
