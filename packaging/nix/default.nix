# nix-build packaging/nix
{ pkgs ? import <nixpkgs> { }, secure ? false }:

pkgs.stdenv.mkDerivation {
  pname = "mimalloc";
  version = "3.4.3";
  src = pkgs.lib.cleanSource ../..;
  nativeBuildInputs = [ pkgs.cmake ];
  cmakeFlags = [ "-DMI_BUILD_TESTS=OFF" "-DMI_SECURE=${if secure then "ON" else "OFF"}" ];
  meta = {
    description = "A compact general-purpose memory allocator";
    license = pkgs.lib.licenses.mit;
    platforms = [ "x86_64-linux" "aarch64-linux" ];
  };
}
